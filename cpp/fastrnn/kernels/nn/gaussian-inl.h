// gaussian_kl and reparameterise: distance of two diagonal Gaussians, and a draw from one.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// One vector of both Gaussians: t = logvar - prior_logvar, its e^t - 1 exact near 0, and
// d = (mu - prior_mu) / the prior's standard deviation. e^t is taken as a square, so that it runs
// to 0 and to infinity as it should.
template <class T>
struct Distance {
  Vec<T> t, grown, d, precision;  // precision: 1 / the prior's standard deviation

  template <class Args>
  FASTRNN_INLINE Distance(const Args& a, index_t m, index_t z, index_t left) {
    t = load(a.logvar.at(m) + z, left);
    d = load(a.mu.at(m) + z, left);
    precision = set1(T(1));
    if (a.prior_mu) {
      const Vec<T> prior = load(a.prior_logvar.at(m) + z, left);
      t = t - prior;
      precision = exp<T>(prior * T(-0.5));
      d = (d - load(a.prior_mu.at(m) + z, left)) * precision;
    }
    const Vec<T> half = expm1<T>(t * T(0.5));
    grown = half * (half + T(2));
  }
};

template <class T>
struct GaussianKlForward : WithoutScratch<GaussianKlForwardArgs<T>> {
  static void run(const GaussianKlForwardArgs<T>& a, unsigned char*, Team& team) {
    const index_t Z = a.mu.shape[1];
    for_own_rows(a.mu.shape[0], team, [&](index_t m) {
      Vec<T> sum{};
      for (index_t z = 0; z < Z; z += kLanes<T>) {
        const Distance<T> x(a, m, z, Z - z);
        sum += (x.grown - x.t) + x.d * x.d;
      }
      *a.kl.at(m) = T(0.5) * sum_lanes<T>(sum);
    });
  }
};

template <class T>
struct GaussianKlBackward : WithoutScratch<GaussianKlBackwardArgs<T>> {
  static void run(const GaussianKlBackwardArgs<T>& a, unsigned char*, Team& team) {
    const index_t Z = a.mu.shape[1];
    for_own_rows(a.mu.shape[0], team, [&](index_t m) {
      const Vec<T> g = set1(*a.dkl.at(m));
      const auto write = [&](const View<T, 2>& out, index_t z, Vec<T> value) {
        if (out) store(out.at(m) + z, value, Z - z);
      };
      for (index_t z = 0; z < Z; z += kLanes<T>) {
        const Distance<T> x(a, m, z, Z - z);
        const Vec<T> dmu = g * x.d * x.precision, half = g * T(0.5);
        write(a.dmu, z, dmu);
        write(a.dlogvar, z, half * x.grown);
        write(a.dprior_mu, z, -dmu);
        write(a.dprior_logvar, z, -half * (x.grown + x.d * x.d));
      }
    });
  }
};

template <class T>
struct ReparameteriseForward : WithoutScratch<ReparameteriseForwardArgs<T>> {
  static void run(const ReparameteriseForwardArgs<T>& a, unsigned char*, Team& team) {
    for_own_elements<T>(a.z.shape[0], team, [&](index_t first, index_t last) {
      for (index_t i = first; i < last; i += kLanes<T>) {
        const index_t left = last - i;
        const Vec<T> sd = exp<T>(load(a.logvar.data + i, left) * T(0.5));
        store(a.z.data + i, fma(sd, load(a.eps.data + i, left), load(a.mu.data + i, left)), left);
      }
    });
  }
};

template <class T>
struct ReparameteriseBackward : WithoutScratch<ReparameteriseBackwardArgs<T>> {
  static void run(const ReparameteriseBackwardArgs<T>& a, unsigned char*, Team& team) {
    for_own_elements<T>(a.dz.shape[0], team, [&](index_t first, index_t last) {
      for (index_t i = first; i < last; i += kLanes<T>) {
        const index_t left = last - i;
        const Vec<T> dz = load(a.dz.data + i, left);
        const Vec<T> sd = exp<T>(load(a.logvar.data + i, left) * T(0.5));
        if (a.dmu) store(a.dmu.data + i, dz, left);
        if (a.dlogvar)
          store(a.dlogvar.data + i, dz * sd * load(a.eps.data + i, left) * T(0.5), left);
      }
    });
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
