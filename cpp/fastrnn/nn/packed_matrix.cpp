// PackedMatrix: the weights of a linear layer with fewer bits than float32, packed once; immutable.
#include "fastrnn/nn/packed_matrix.h"

#include "fastrnn/check_shape.h"
#include "fastrnn/dispatch.h"
#include "fastrnn/nn/run.h"
#include "fastrnn/rnn/check_weights.h"
#include "fastrnn/rnn/plan.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {

PackedMatrix::PackedMatrix(const NarrowMatrix& m)
    : linear_(&narrow_linear(m.q ? Precision::int8 : Precision::bfloat16)),
      O_((m.q ? m.q.shape : m.w.shape)[0]),
      I_((m.q ? m.q.shape : m.w.shape)[1]) {
  if (m.q) {
    check_shape("scale", m.scale, "(O,)", {O_});
    check_int8_columns("w", I_);
  }
  block_ = memory_.add<unsigned char>(static_cast<index_t>(linear_->packed_bytes(O_, I_)));
  memory_.allocate();
  run_team(1, [&](Team& team) { linear_->pack(m, memory_.at(block_), team); });
}

void PackedMatrix::multiply(NarrowLinearArgs a, int num_threads) const {
  const index_t M = a.x.shape[0];
  check_shape("x", a.x, "(M, I)", {M, I_});
  check_optional("b", a.b, "(O,)", {O_});
  check_shape("y", a.y, "(M, O)", {M, O_});
  a.packed = memory_.at(block_);
  a.dots = dots_for(*linear_->row);
  // Of whole numbers four multiply-adds take as long as one of float32, of bfloat16 two.
  const double faster = precision() == Precision::int8 ? 4 : 2;
  run(linear_->multiply, a, num_threads, Work{double(M) * double(I_) * double(O_) / faster});
}

}  // namespace fastrnn
