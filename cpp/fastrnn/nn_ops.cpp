// The front door of the operations beside the recurrent ones: validate, plan a team, run the table.
#include "fastrnn/nn_ops.h"

#include "fastrnn/check_shape.h"
#include "fastrnn/dispatch.h"
#include "fastrnn/nn_table.h"
#include "fastrnn/plan.h"
#include "fastrnn/scratch.h"

namespace fastrnn {
namespace {

// multiply_adds: how much work the call is, in the tile's coin.
template <class Args>
void run(const NnKernel<Args>& kernel, const Args& args, double multiply_adds) {
  const int threads = team_size(multiply_adds, args.num_threads);
  Scratch scratch;
  const auto piece = scratch.add<unsigned char>(static_cast<index_t>(kernel.bytes(args, threads)));
  scratch.allocate();
  run_team(threads, [&](Team& team) { kernel.run(args, scratch.at(piece), team); }, multiply_adds);
}

}  // namespace

template <class T>
void linear_forward(const LinearForwardArgs<T>& a) {
  const index_t M = a.x.shape[0], I = a.x.shape[1], O = a.w.shape[0];
  check_shape("w", a.w, "(O, I)", {O, I});
  check_optional("b", a.b, "(O,)", {O});
  check_shape("y", a.y, "(M, O)", {M, O});
  run(nn_kernels<T>().linear_forward, a, double(M) * double(I) * double(O));
}

template <class T>
void linear_backward(const LinearBackwardArgs<T>& a) {
  const index_t M = a.x.shape[0], I = a.x.shape[1], O = a.w.shape[0];
  check_shape("dy", a.dy, "(M, O)", {M, O});
  check_shape("w", a.w, "(O, I)", {O, I});
  check_optional("dx", a.dx, "(M, I)", {M, I});
  check_optional("dw", a.dw, "(O, I)", {O, I});
  check_optional("db", a.db, "(O,)", {O});
  const int products = int(bool(a.dx)) + int(bool(a.dw));
  run(nn_kernels<T>().linear_backward, a, products * double(M) * double(I) * double(O));
}

template void linear_forward(const LinearForwardArgs<float>&);
template void linear_forward(const LinearForwardArgs<double>&);
template void linear_backward(const LinearBackwardArgs<float>&);
template void linear_backward(const LinearBackwardArgs<double>&);

}  // namespace fastrnn
