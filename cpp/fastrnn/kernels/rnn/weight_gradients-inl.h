// Weight gradients of one chunk of steps, as large products by the whole team.
//
// The sums are a list: some slots of the gradients' rows, times the rows of an operand, into a dw.
// dw[unit, k] is a sum over the rows of the chunk. The vector side of the tile is a few columns of
// the operand, the broadcast side the gradients of a strip of panels; both are packed, because rows
// of the workspace lie a power of two apart and would fight for the same cache lines. Sums build up
// in the caller's arrays, in one chain over falling steps: neither the chunks nor the number of
// threads, between which outputs are divided, show in the result.
#pragma once

#include "fastrnn/kernels/rnn/pack-inl.h"
#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/kernels/rnn/rounded_rows-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The rows of an operand, one pointer for each row of a chunk. Vector v of row i lies `stride`
// elements after vector v - 1; only `columns` elements exist.
template <class T>
struct OperandRows {
  const T** list = nullptr;
  const T** mask = nullptr;  // multiplies them; null: nothing does
  index_t offset = 0, stride = kLanes<T>;
};

// dw += the gradients of slots slot .. slot + count, times the operand; the rows of dw are the
// blocks of H that `blocks` names.
template <class T>
struct GradientProduct {
  int slot = 0, count = 0;
  const int* blocks = nullptr;
  OperandRows<T> operand;
  View<T, 2> dw;
  bool rounded = false;  // to bfloat16, both the gradients and the operand
};

// The packed sides and lists of one thread, which every WeightGradients uses in its turn.
template <class T>
class GradientScratch {
  static constexpr int L = kLanes<T>;

 public:
  // Packed: 128 kB of columns beside at most 512 kB of gradients, which share an L2 (half of it
  // with 256 rows at once). Every column is packed once a strip: with one group to a strip that was
  // 6 to 8 % of backward.
  static constexpr int kGroupVectors = 4;  // of gradients in a group, at most
  // Beside products in bfloat16 packing takes its time, so that strips of them are wider.
  static constexpr index_t kStripGroups = 4, kRoundedGroups = 16;  // of groups in a strip, at most
  static constexpr int kMostProducts = 5;

  GradientScratch(Carver& carver, const BackwardTask<T>& task, index_t panels, int slots, int rank)
      : rounds(in_bfloat16(task.layer)),
        dots(task.plan.dots),
        at_once(task.plan.gradient_rows),
        strip_groups(rounds ? kRoundedGroups : kStripGroups),
        strip_units(least(ceil_div(panels, panels_in_group(slots)), strip_groups) * kGroupVectors *
                    L) {
    const auto own = [&]<class E>(E*& to, index_t count) {
      to = carver.take<E>(task.plan.threads, count) + count * rank;
    };
    const bool floats = !rounds || task.on.projection || task.on.full_peephole;
    own(units, floats ? strip_units * at_once : 0);
    own(unit_words, rounds ? strip_units * words() : 0);
    own(columns, at_once * kMostVectors * L);
    own(unit_rows, strip_units * kMostProducts);
    own(dw_rows, strip_units * kMostProducts);
  }

  // Of each unit, in words of two rows; those of the next one miss its cache lines.
  index_t words() const { return at_once / 2 + 16; }

  bool rounds;  // to bfloat16, where products ask for it
  Dots dots;
  index_t at_once;       // rows that are packed
  index_t strip_groups;  // of one strip, at most
  index_t strip_units;   // ... and its units
  T* units;              // [vector of the strip][row][lane]
  T* unit_words;         // [vector of the strip][lane][words()]
  T* columns;            // [row, or word of two][vector][lane]
  const T** unit_rows;   // of each product: where the units' packed gradients begin
  T** dw_rows;           // and their rows of dw
};

template <class T>
class WeightGradients {
  static constexpr int L = kLanes<T>;
  static constexpr int kGroupVectors = GradientScratch<T>::kGroupVectors;

 public:
  // Sums of the same rows beside the products: the gradients themselves, for the biases; and, for
  // an LSTM's peepholes, those of i and f times the old c and those of o times the new c.
  struct Sums {
    bool biases = false, peepholes = false;
    const T** c_before = nullptr;
    const T** c = nullptr;
  };

  WeightGradients() = default;

  // Lines of S slots for each of the panels of H units, one for each row of a chunk.
  WeightGradients(Carver& carver, const GradientScratch<T>& scratch, const T* const* lines, int S,
                  index_t H, const Sums& sums)
      : scratch_(&scratch),
        lines_(lines),
        S_(S),
        group_(panels_in_group(S)),
        H_(H),
        J_(panels_of<T>(H)),
        sums_(sums) {
    db_ = carver.take<T>(sums.biases ? J_ * L * S : 0);
    dp_ = carver.take<T>(sums.peepholes ? J_ * L * 3 : 0);
  }

  void want(const GradientProduct<T>& product) {
    if (!product.dw) return;
    Wanted& wanted = products_[count_];
    wanted.product = product;
    (product.rounded ? rounds_ : plain_) = true;
    wanted.unit_rows = scratch_->unit_rows + count_ * scratch_->strip_units;
    wanted.dw_rows = scratch_->dw_rows + count_++ * scratch_->strip_units;
  }

  // Once all products are known; `steps`: whether there is a single one.
  void start(const Team& team, bool steps) {
    // Wide strips save packing and wide blocks make the best tiles, but there must be enough items
    // for everybody.
    if (count_ == 0) (scratch_->rounds ? rounds_ : plain_) = true;  // sums alone
    for (strip_groups_ = scratch_->strip_groups, vectors_ = kMostVectors;;) {
      blocks_ = 0;
      for (Wanted& w : wanted())
        blocks_ += w.blocks = ceil_div(w.product.dw.shape[1], vectors_ * L);
      if (team.size() == 1 || strips() * blocks_ >= 4 * team.size()) break;
      if (strip_groups_ == 1 && vectors_ == 1) break;
      (strip_groups_ > 1 ? strip_groups_ : vectors_) /= 2;
    }
    blocks_ = most(1, blocks_);  // one item for a strip's sums, at least
    // The last strip and the last block may be narrow: at H = 100 one of two threads had 1.8 times
    // the work of the other, and backward of ragged rows (N = 32) took 10 % longer.
    own_items_ = share_costs(strips() * blocks_, team.rank(), team.size(),
                             [&](index_t item) { return products_in(item); });
    own_panels_ = share(J_, team.rank(), team.size(), 1);
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
      for (int s = 0; sums_.biases && s < S_; ++s) store(db_ + (j * S_ + s) * L, Vec<T>{});
      for (int s = 0; sums_.peepholes && s < 3; ++s) store(dp_ + (j * 3 + s) * L, Vec<T>{});
    }
    if (!steps && team.rank() == 0)
      for (Wanted& w : wanted()) clear(w.product.dw);
  }

  // dw += sum over rows of gradients x operand; the thread with a strip's first block sums what
  // goes with it, too.
  void add(index_t rows, Team& team) {
    for (index_t item = own_items_.begin; item < own_items_.end;) {
      const index_t strip = item / blocks_, first = item % blocks_;
      const index_t last = least(first + own_items_.end - item, blocks_);
      for (Wanted& w : wanted()) list_units(strip, w);
      for (index_t row = 0; row < rows; row += scratch_->at_once) {
        team.check();
        const index_t count = least(scratch_->at_once, rows - row);
        pack_units(strip, row, count, first == 0);
        index_t before = 0;
        for (Wanted& w : wanted()) {
          multiply_blocks(w, row, count, {first - before, last - before}, team);
          before += w.blocks;
        }
      }
      item += last - first;
    }
    first_ = first_ && rows == 0;
  }

  // The sums, once everybody has added: f(slot, unit, its sum), g(peephole, unit, its sum).
  template <class F, class G>
  void finish(F&& f, G&& g) const {
    for (index_t unit = own_panels_.begin * L; unit < least(own_panels_.end * L, H_); ++unit) {
      for (int s = 0; sums_.biases && s < S_; ++s)
        f(s, unit, db_[(unit / L * S_ + s) * L + unit % L]);
      for (int p = 0; sums_.peepholes && p < 3; ++p)
        g(p, unit, dp_[(unit / L * 3 + p) * L + unit % L]);
    }
  }

 private:
  struct Wanted {
    GradientProduct<T> product;
    index_t blocks = 0;  // of columns, which are shared out
    const T** unit_rows = nullptr;
    T** dw_rows = nullptr;
    index_t units = 0;  // how many of a strip exist
  };
  struct List {
    Wanted* first;
    int count;
    Wanted* begin() const { return first; }
    Wanted* end() const { return first + count; }
  };
  List wanted() { return {products_, count_}; }

  // Products in an item, a strip by a block, for each row of a chunk.
  index_t products_in(index_t item) {
    const Range panels = panels_of_strip(item / blocks_);
    const index_t lanes = least(panels.end * L, H_) - panels.begin * L;
    index_t block = item % blocks_;
    for (const Wanted& w : wanted()) {
      const index_t vectors = panels_of<T>(w.product.dw.shape[1]) - block * vectors_;
      if (block < w.blocks) return lanes * w.product.count * least(vectors_, vectors);
      block -= w.blocks;
    }
    return lanes;
  }

  // Some blocks of a product's columns, as far as it has them.
  void multiply_blocks(const Wanted& w, index_t row, index_t count, Range blocks, Team& team) {
    const View<T, 2>& dw = w.product.dw;
    const index_t K = dw.shape[1];
    const bool fresh = first_ && row == 0;
    const index_t at_once =
        fresh ? rows_at_once(count, dw.stride[0] * index_t{sizeof(T)}) : most(1, w.units);
    for (index_t b = most(blocks.begin, 0); b < least(blocks.end, w.blocks); ++b) {
      team.check();
      const index_t v = b * vectors_, n = least(vectors_, panels_of<T>(K) - v);
      if constexpr (kMayBeNarrow<T>)
        if (w.product.rounded) {
          multiply_rounded(w, row, count, v, n, at_once, team);
          continue;
        }
      pack_columns(w.product.operand, K, row, count, v, n);
      for (index_t unit = 0; unit < w.units; unit += at_once) {
        if (unit > 0) team.check();
        multiply<T>({least(at_once, w.units - unit),
                     n,
                     {w.unit_rows + unit, 0},
                     {1, count, 0, L},
                     scratch_->columns,
                     fresh ? kZeros<T> : nullptr,
                     {w.dw_rows + unit, v * L},
                     K - v * L});
      }
    }
  }

  // One block in bfloat16, by runs of units that lie equally far apart.
  void multiply_rounded(const Wanted& w, index_t row, index_t count, index_t v, index_t n,
                        index_t at_once, Team& team) const {
    const index_t K = w.product.dw.shape[1];
    pack_column_words(w.product.operand, K, row, count, v, n);
    NarrowProduct p{0, n, nullptr, words_of_rows(count)};
    p.w = reinterpret_cast<const unsigned char*>(scratch_->columns);
    p.init = first_ && row == 0 ? kZeros<T> : nullptr;
    p.offset = v * L;
    const auto* const list = reinterpret_cast<const unsigned char* const*>(w.unit_rows);
    const index_t apart = scratch_->words() * index_t{sizeof(T)};
    for (index_t unit = 0; unit < w.units; unit += p.rows) {
      if (unit > 0) team.check();
      p.a = list + unit;
      p.out = w.dw_rows + unit;
      for (p.rows = 1; unit + p.rows < w.units && p.rows < at_once; ++p.rows)
        if (list[unit + p.rows] - list[unit + p.rows - 1] != apart) break;
      multiply_columns<T>(p, K - v * L, scratch_->dots);
    }
  }
  // Whole squares of words, the last ones of zeros.
  static index_t words_of_rows(index_t count) { return ceil_div(count, 2 * L) * L; }

  index_t strips() const { return ceil_div(J_, group_ * strip_groups_); }
  Range panels_of_strip(index_t strip) const {
    const index_t width = group_ * strip_groups_;
    return {strip * width, least((strip + 1) * width, J_)};
  }

  void list_units(index_t strip, Wanted& w) const {
    const Range panels = panels_of_strip(strip);
    const GradientProduct<T>& product = w.product;
    w.units = 0;
    for (index_t j = panels.begin; j < panels.end; ++j)
      for (int s = 0; s < product.count; ++s)
        for (index_t lane = 0; lane < least(L, H_ - j * L); ++lane, ++w.units) {
          const index_t v = (j - panels.begin) * S_ + product.slot + s;
          w.unit_rows[w.units] = product.rounded ? packed_words(v) + lane * scratch_->words()
                                                 : packed_vector(v) + lane;
          w.dw_rows[w.units] = product.dw.at(product.blocks[s] * H_ + j * L + lane);
        }
  }

  T* packed_vector(index_t v) const { return scratch_->units + v * scratch_->at_once * L; }
  T* packed_words(index_t v) const { return scratch_->unit_words + v * scratch_->words() * L; }

  // The vectors of a strip, each a stretch of its own: a tile then reads whole cache lines of it.
  void pack_units(index_t strip, index_t row, index_t count, bool sum) const {
    const Range panels = panels_of_strip(strip);
    for (index_t j = panels.begin; j < panels.end; j += group_) {
      const index_t first = (j - panels.begin) * S_, vectors = least(group_, panels.end - j) * S_;
      const bool biases = sum && sums_.biases;
      if (plain_) pack_group_units(j, vectors, row, count, biases, packed_vector(first));
      if constexpr (kMayBeNarrow<T>)
        if (rounds_)
          pack_group_words(j, vectors, row, count, biases && !plain_, packed_words(first));
      if (sum && sums_.peepholes) sum_peepholes(j, row, count);
    }
  }

  void pack_group_units(index_t panel, index_t vectors, index_t row, index_t count, bool sum,
                        T* to) const {
    with_int<kGroupVectors>(vectors, [&](auto n) {
      constexpr int V = decltype(n)::value;
      const index_t stride = scratch_->at_once * L, at = panel * S_ * L;
      Vec<T> sums[V] = {};
      T* const db = db_ + at;
      if (sum) {
        FASTRNN_UNROLL
        for (int v = 0; v < V; ++v) sums[v] = load(db + v * L);
      }
      for (index_t i = row; i < row + count; ++i, to += L) {
        FASTRNN_UNROLL
        for (int v = 0; v < V; ++v) {
          const Vec<T> line = load(lines_[i] + at + v * L);
          store(to + v * stride, line);
          sums[v] += line;
        }
      }
      if (!sum) return;
      FASTRNN_UNROLL
      for (int v = 0; v < V; ++v) store(db + v * L, sums[v]);
    });
  }

  // The same in words of two rows, every unit's one after the other.
  void pack_group_words(index_t panel, index_t vectors, index_t row, index_t count, bool sum,
                        T* to) const {
    for (index_t v = 0; v < vectors; ++v, to += L * scratch_->words()) {
      const index_t at = (panel * S_ + v) * L;
      Vec<T> total = sum ? load(db_ + at) : Vec<T>{};
      const auto next = [&](index_t i) {
        const Vec<T> line = i < count ? load(lines_[row + i] + at) : Vec<T>{};
        total += line;
        return line;
      };
      for (index_t i = 0; i < count; i += 2 * L) {
        Vec<T> square[L];
        FASTRNN_UNROLL
        for (index_t k = 0; k < L; ++k) {
          const Vec<T> even = next(i + 2 * k);
          square[k] = pair_bfloat16(even, next(i + 2 * k + 1));
        }
        transpose<T>(square);
        FASTRNN_UNROLL
        for (index_t k = 0; k < L; ++k) store(to + k * scratch_->words() + i / 2, square[k]);
      }
      if (sum) store(db_ + at, total);
    }
  }

  // p_i and p_f saw c of the step before, p_o that of the step itself.
  void sum_peepholes(index_t panel, index_t row, index_t count) const {
    Vec<T> sums[3];
    T* const dp = dp_ + panel * 3 * L;
    for (int s = 0; s < 3; ++s) sums[s] = load(dp + s * L);
    for (index_t i = row; i < row + count; ++i) {
      const T* const grads = lines_[i] + panel * S_ * L;  // i f g o
      const Vec<T> before = load(sums_.c_before[i] + panel * L), c = load(sums_.c[i] + panel * L);
      sums[0] = fma(load(grads), before, sums[0]);
      sums[1] = fma(load(grads + L), before, sums[1]);
      sums[2] = fma(load(grads + 3 * L), c, sums[2]);
    }
    for (int s = 0; s < 3; ++s) store(dp + s * L, sums[s]);
  }

  // Vectors v .. v + n of some rows of an operand of which K columns exist.
  void pack_columns(const OperandRows<T>& rows, index_t K, index_t row, index_t count, index_t v,
                    index_t n) const {
    T* to = scratch_->columns;
    const index_t left = K - v * L;
    with_int<kMostVectors>(n, [&](auto width) {
      constexpr int V = decltype(width)::value;
      for (index_t i = row; i < row + count; ++i, to += V * L) {
        const T* const from = rows.list[i] + rows.offset + v * rows.stride;
        FASTRNN_UNROLL
        for (int k = 0; k < V; ++k) {
          Vec<T> x = load(from + k * rows.stride, left - k * L);
          if (rows.mask != nullptr) x *= load(rows.mask[i] + (v + k) * L, left - k * L);
          store(to + k * L, x);
        }
      }
    });
  }

  // The same in words of two rows.
  void pack_column_words(const OperandRows<T>& rows, index_t K, index_t row, index_t count,
                         index_t v, index_t n) const {
    T* to = scratch_->columns;
    const index_t end = row + words_of_rows(count) * 2;
    for (index_t i = row; i < end; i += 2)
      for (index_t k = v; k < v + n; ++k, to += L) {
        const auto element = [&](index_t r) {
          if (r >= row + count) return Vec<T>{};
          Vec<T> x = load(rows.list[r] + rows.offset + k * rows.stride, K - k * L);
          if (rows.mask != nullptr) x *= load(rows.mask[r] + k * L, K - k * L);
          return x;
        };
        store(to, pair_bfloat16(element(i), element(i + 1)));
      }
  }

  // For a call without a single step.
  static void clear(const View<T, 2>& dw) {
    __builtin_memset(dw.data, 0, static_cast<std::size_t>(dw.shape[0] * dw.shape[1]) * sizeof(T));
  }

  const GradientScratch<T>* scratch_ = nullptr;
  const T* const* lines_ = nullptr;
  int S_ = 0, group_ = 1;
  index_t H_ = 0, J_ = 0;
  Sums sums_;
  bool first_ = true;
  bool plain_ = false, rounds_ = false;  // which products there are
  Wanted products_[GradientScratch<T>::kMostProducts];
  int count_ = 0;
  index_t strip_groups_ = 1;
  index_t vectors_ = 0, blocks_ = 0;  // of columns in a block; blocks of a strip
  T* db_ = nullptr;                   // [panel][slot][lane]
  T* dp_ = nullptr;                   // [panel][i f o][lane]
  Range own_panels_{}, own_items_{};
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
