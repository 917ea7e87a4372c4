// The step of word2vec: a few input rows against a few output rows, as small matrix products.
//
// The words around share their target and its noise (Ji et al., "Parallelizing Word2Vec in Shared
// and Distributed Memory", 2016), so that a row is read twice and written once for all pairs.
#pragma once

#include "fastrnn/memory/carver.h"
#include "fastrnn/simd/math-inl.h"
#include "fastrnn/simd/shared-inl.h"
#include "fastrnn/word2vec/args.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

inline constexpr int kL = kLanes<float>;
inline constexpr int kTileColumns = kL < 8 ? kL : 8;
inline constexpr int kTileRows = kL / kTileColumns;  // a tile has as many products as lanes
inline constexpr int kGroup = kRegisters == 32 ? 8 : 4;

// Lane i of the result is the sum of the lanes of v[i].
FASTRNN_INLINE Vec<float> sums_of_lanes(Vec<float> (&v)[kL]) {
#pragma GCC unroll 4
  for (int half = kL / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < half; ++i)
      v[i] = interleave_low<float>(v[i], v[i + half]) + interleave_high<float>(v[i], v[i + half]);
  }
  return v[0];
}

// Multiplies factors of at least 1 into a LossProduct that does not overflow.
class LossLanes {
 public:
  FASTRNN_INLINE void multiply(const float* factors) {  // kL of them, below 2^128 each
    product_ = product_ * load_wide(factors);
    product_ = product_ * load_wide(factors + kL / 2);
    if (++held_ == 3) normalise();
  }
  void add_to(LossProduct& loss) {
    normalise();
    for (int i = 0; i < kLanes<double>; ++i) {
      loss.lanes[i] *= product_[i];
      loss.exponent += exponents_[i];
    }
    for (double& lane : loss.lanes) {
      if (lane < 0x1p500) continue;
      lane *= 0x1p-500;
      loss.exponent += 500;
    }
    *this = {};
  }

 private:
  FASTRNN_INLINE void normalise() {
    const auto bits = reinterpret_cast<Bits<double>>(product_);
    exponents_ += (bits >> 52) - 1023;  // no factor is below 1, so there is no sign
    product_ = reinterpret_cast<Vec<double>>((bits & ((1ll << 52) - 1)) | (1023ll << 52));
    held_ = 0;
  }
  Vec<double> product_ = set1(1.0);
  Bits<double> exponents_{};
  int held_ = 0;
};

// Scratch and step of one thread.
class Block {
 public:
  Block(const Word2VecPlan& plan, index_t stride, unsigned char* scratch)
      : stride_(stride), softmax_(plan.softmax) {
    Carver carver(scratch);
    const index_t most_m = 2 * static_cast<index_t>(plan.window) + kTileRows;
    index_t most_n = plan.softmax ? plan.V : plan.negative + 1;
    if (plan.longest_path > most_n) most_n = plan.longest_path;
    const index_t columns = (most_n + kTileColumns - 1) / kTileColumns * kTileColumns;
    g_ = carver.take<float>(most_m, columns);
    sign_ = carver.take<float>(columns, kTileRows);
    middle_ = carver.take<float>(stride);
    before_ = carver.take<float>(most_m, kL);
    in = carver.take<float*>(most_m);
    out = carver.take<float*>(columns);
    noise = carver.take<std::int32_t>(plan.negative);
    bytes_ = carver.bytes();
    for (int c = 0; c < kTileColumns; ++c) one_row_[c] = 1;
  }
  std::size_t bytes() const { return bytes_; }

  float **in, **out;    // the rows of the next step
  std::int32_t* noise;  // words for the next step

  // Whether out[j] was seen beside the inputs (1), or is noise (0).
  FASTRNN_INLINE void want(index_t j, bool yes) {
    float* const to = sign_ + j / kTileColumns * kL + j % kTileColumns;
    for (int r = 0; r < kTileRows; ++r) to[r * kTileColumns] = yes ? 1 : -1;
  }

  // Every one of m inputs predicts the n outputs, and both learn.
  FASTRNN_INLINE void step(index_t m, index_t n, float alpha) {
    probabilities(m, n, alpha);
    for (index_t k = 0; k < stride_; k += kL) {
      for (index_t i = 0; i < m; ++i) store(before_ + i * kL, load_shared(in[i] + k));
      in_groups(m, [&]<int B>(index_t i) {
        Vec<float> d[B];
        input_changes<B>(i, k, n, d);
#pragma GCC unroll 8
        for (int b = 0; b < B; ++b) add_shared(in[i + b] + k, d[b]);
      });
      output_changes(k, m, n);
    }
  }

  // The mean or sum of m inputs predicts the n outputs; each input takes share of its change.
  FASTRNN_INLINE void step_together(index_t m, index_t n, float alpha, float weight, float share) {
    for (index_t k = 0; k < stride_; k += kL) {
      Vec<float> sum{};
      for (index_t i = 0; i < m; ++i) sum += load_shared(in[i] + k);
      store(middle_ + k, sum * weight);
    }
    float* const first = in[0];
    in[0] = middle_;
    probabilities(1, n, alpha);
    in[0] = first;
    for (index_t k = 0; k < stride_; k += kL) {
      Vec<float> d[1];
      input_changes<1>(0, k, n, d);
      d[0] = d[0] * share;
      for (index_t i = 0; i < m; ++i) add_shared(in[i] + k, d[0]);
      store(before_, load(middle_ + k));
      output_changes(k, 1, n);
    }
  }

  LossLanes loss;

 private:
  template <class F>
  static FASTRNN_INLINE void in_groups(index_t count, F&& f) {
    index_t i = 0;
    for (; i + kGroup <= count; i += kGroup) f.template operator()<kGroup>(i);
    if (kGroup > 4 && count - i >= 4) {
      f.template operator()<4>(i);
      i += 4;
    }
    switch (count - i) {
      case 3:
        return f.template operator()<3>(i);
      case 2:
        return f.template operator()<2>(i);
      case 1:
        return f.template operator()<1>(i);
      default:
        return;
    }
  }

  // d[b] = Σ_j g(i + b, j) · out_j, at columns k.
  template <int B>
  FASTRNN_INLINE void input_changes(index_t i, index_t k, index_t n, Vec<float> (&d)[B]) const {
#pragma GCC unroll 8
    for (int b = 0; b < B; ++b) d[b] = Vec<float>{};
    const float* const g = g_ + i * columns_;
    for (index_t j = 0; j < n; ++j) {
      const Vec<float> o = load_shared(out[j] + k);
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) d[b] = fma(set1(g[b * columns_ + j]), o, d[b]);
    }
  }

  // out_j += Σ_i g(i, j) · in_i, at columns k, of the inputs as they were.
  FASTRNN_INLINE void output_changes(index_t k, index_t m, index_t n) {
    in_groups(n, [&]<int B>(index_t j) {
      Vec<float> d[B];
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) d[b] = Vec<float>{};
      for (index_t i = 0; i < m; ++i) {
        const Vec<float> x = load(before_ + i * kL);
#pragma GCC unroll 8
        for (int b = 0; b < B; ++b) d[b] = fma(set1(g_[i * columns_ + j + b]), x, d[b]);
      }
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) add_shared(out[j + b] + k, d[b]);
    });
  }

  // g = alpha · (wanted - probability) for all pairs; the loss takes their likelihoods.
  FASTRNN_INLINE void probabilities(index_t m, index_t n, float alpha) {
    columns_ = (n + kTileColumns - 1) / kTileColumns * kTileColumns;
    for (index_t j = n; j < columns_; ++j) {  // beyond the last: its row once more, counted 0 times
      out[j] = out[n - 1];
      for (int r = 0; r < kTileRows; ++r)
        sign_[j / kTileColumns * kL + r * kTileColumns + j % kTileColumns] = 0;
    }
    index_t i = 0;
    for (; i + kTileRows <= m; i += kTileRows) tiles<kTileRows>(i, alpha);
    if (kTileRows > 1 && i < m) tiles<1>(i, alpha);
    if (softmax_)
      for (i = 0; i < m; ++i) normalise(g_ + i * columns_, n, alpha);
  }

  template <int R>
  FASTRNN_INLINE void tiles(index_t i, float alpha) {
    for (index_t j = 0; j < columns_; j += kTileColumns) {
      Vec<float> x = products<R>(i, j);
      if (!softmax_) x = activate<R>(x, load(sign_ + j * kTileRows), alpha);
      alignas(FASTRNN_VEC_BYTES) float lanes[kL];
      store(lanes, x);
      for (int r = 0; r < R; ++r)
        __builtin_memcpy(g_ + (i + r) * columns_ + j, lanes + r * kTileColumns,
                         sizeof(float) * kTileColumns);
    }
  }

  template <int R>
  FASTRNN_INLINE Vec<float> products(index_t i, index_t j) const {
    Vec<float> sum[kL]{};
    for (index_t k = 0; k < stride_; k += kL) {
      Vec<float> x[R];
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) x[r] = load_shared(in[i + r] + k);
#pragma GCC unroll 8
      for (int c = 0; c < kTileColumns; ++c) {
        const Vec<float> o = load_shared(out[j + c] + k);
#pragma GCC unroll 2
        for (int r = 0; r < R; ++r)
          sum[r * kTileColumns + c] = fma(x[r], o, sum[r * kTileColumns + c]);
      }
    }
    return sums_of_lanes(sum);
  }

  // With z = -sign · x the likelihood of a pair is 1 / (1 + e^z), and its gradient by x
  // sign · e^z / (1 + e^z). Lanes of sign 0, and those beyond R rows, count nothing.
  template <int R>
  FASTRNN_INLINE Vec<float> activate(Vec<float> x, Vec<float> sign, float alpha) {
    if constexpr (R < kTileRows) sign = sign * load(one_row_);
    const Vec<float> e = exp<float>(-sign * x);
    const Vec<float> f = fma(e, abs<float>(sign), set1(1.0f));
    alignas(FASTRNN_VEC_BYTES) float factors[kL];
    store(factors, f);
    loss.multiply(factors);
    return sign * alpha * e / f;
  }

  // Softmax over a row of products, in place.
  FASTRNN_NOINLINE void normalise(float* g, index_t n, float alpha) {
    index_t target = 0;
    float most = g[0];
    for (index_t j = 0; j < n; ++j) {
      if (g[j] > most) most = g[j];
      if (sign_[j / kTileColumns * kL + j % kTileColumns] > 0) target = j;
    }
    double total = 0;
    for (index_t j = 0; j < columns_; j += kTileColumns) {
      const Vec<float> e = exp<float>(load(g + j, kTileColumns) - most);
      store(g + j, e, kTileColumns);
      for (index_t c = j; c < j + kTileColumns && c < n; ++c) total += static_cast<double>(g[c]);
    }
    float factors[kL];
    for (float& factor : factors) factor = 1;
    factors[0] = static_cast<float>(total / static_cast<double>(g[target]));
    loss.multiply(factors);
    const auto scale = static_cast<float>(-static_cast<double>(alpha) / total);
    for (index_t j = 0; j < n; ++j) g[j] *= scale;
    g[target] += alpha;
  }

  index_t stride_, columns_ = 0;
  bool softmax_;
  float *g_, *sign_, *middle_, *before_;
  alignas(64) float one_row_[kL] = {};
  std::size_t bytes_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
