// Which options a call of a cell has on. Of a cell that can have none the answers are constants:
// its time loop is compiled as if there were no options. W is the type of its packed weights.
#pragma once

#include "fastrnn/cells/unit-inl.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/rnn/layer.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class W>
class Asked {
  static constexpr bool kAny = C::general, kOfLstm = C::general && C::shape.cell_state;

 public:
  explicit Asked(const Options& on) : on_(on) {}

  FASTRNN_INLINE bool h_mask() const { return kAny && !scaled<W>() && on_.h_mask; }
  FASTRNN_INLINE bool h_keep() const { return kAny && on_.h_keep; }
  FASTRNN_INLINE bool c_keep() const { return kOfLstm && on_.c_keep; }
  FASTRNN_INLINE bool norm() const { return kAny && !scaled<W>() && on_.norm; }
  FASTRNN_INLINE bool projection() const { return kOfLstm && on_.projection; }
  FASTRNN_INLINE bool full_peephole() const { return kOfLstm && on_.full_peephole; }
  FASTRNN_INLINE bool by_row() const { return kAny && scaled<W>() && on_.by_row; }
  FASTRNN_INLINE bool peephole() const {
    return C::shape.peephole && (!C::general || on_.peephole);
  }
  // Whether stages that could run as one have to run one after the other.
  FASTRNN_INLINE bool halves() const { return full_peephole() || norm(); }

 private:
  const Options& on_;
};

// f(Int<begin>, Int<end>) for the stages of a cell, as many at a time as nothing lies between; on
// the way back the last ones come first.
template <class C, class W, class F>
FASTRNN_INLINE void for_stages(const Asked<C, W>& on, bool back, F&& f) {
  constexpr int all = C::shape.stages;
  if constexpr (all == 1) {
    f(Int<0>{}, Int<1>{});
  } else {
    const bool apart = C::shape.waits(1) || on.halves();
    if constexpr (!C::shape.waits(1))
      if (!apart) return f(Int<0>{}, Int<all>{});
    if constexpr (C::shape.waits(1) || C::general) {
      if (back) f(Int<1>{}, Int<2>{});
      f(Int<0>{}, Int<1>{});
      if (!back) f(Int<1>{}, Int<2>{});
    }
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
