// The front door of the operations beside the recurrent ones: validate, plan a team, run the table.
#include "fastrnn/nn/ops.h"

#include <algorithm>
#include <optional>
#include <string>

#include "fastrnn/check_shape.h"
#include "fastrnn/dispatch.h"
#include "fastrnn/nn/run.h"

namespace fastrnn {
namespace {

// As in run.h, for arguments that have num_threads.
template <class Args>
void run(const NnKernel<Args>& kernel, const Args& args, double multiply_adds) {
  run(kernel, args, args.num_threads, Work{multiply_adds});
}

void check_ids(const char* name, const View<const index_t, 1>& ids, index_t V,
               std::optional<index_t> ignored) {
  for (index_t m = 0; m < ids.shape[0]; ++m) {
    const index_t id = *ids.at(m);
    FASTRNN_CHECK((id >= 0 && id < V) || id == ignored,
                  std::string(name) + " must lie in 0..V-1 = 0.." + std::to_string(V - 1) +
                      ", got " + std::to_string(id) + " at position " + std::to_string(m));
  }
}

template <class T, class Kept>
void check_targets(const View<const T, 2>& logits, const Targets& targets, const Kept& kept) {
  const index_t M = logits.shape[0], V = logits.shape[1];
  FASTRNN_CHECK(M == 0 || V >= 1, "logits must have shape (M, V) with V >= 1");
  check_shape("targets", targets.ids, "(M,)", {M});
  check_shape("kept", kept, "(M, 2)", {M, 2});
  FASTRNN_CHECK(targets.label_smoothing >= 0 && targets.label_smoothing <= 1,
                "label_smoothing must lie in 0..1");
  check_ids("targets", targets.ids, V, targets.ignore_index);
}

// Shapes of query, keys, lengths and attn.
template <class Args, class Attn>
void check_attention(const Args& a, const Attn& attn) {
  const index_t S = a.keys.shape[0], N = a.keys.shape[1], H = a.keys.shape[2];
  check_shape("query", a.query, "(N, H)", {N, H});
  check_optional("lengths", a.lengths, "(N,)", {N});
  check_shape("attn", attn, "(N, S)", {N, S});
  for (index_t n = 0; a.lengths && n < N; ++n) {
    const index_t length = *a.lengths.at(n);
    FASTRNN_CHECK(length >= 0 && length <= S, "lengths must lie in 0..S = 0.." + std::to_string(S) +
                                                  ", got " + std::to_string(length));
  }
}

template <class Args>
void check_gaussians(const Args& a) {
  const index_t M = a.mu.shape[0], Z = a.mu.shape[1];
  check_shape("logvar", a.logvar, "(M, Z)", {M, Z});
  FASTRNN_CHECK(bool(a.prior_mu) == bool(a.prior_logvar),
                "prior_mu and prior_logvar must be given together");
  check_optional("prior_mu", a.prior_mu, "(M, Z)", {M, Z});
  check_optional("prior_logvar", a.prior_logvar, "(M, Z)", {M, Z});
}

}  // namespace

template <class T>
void linear_forward(const LinearForwardArgs<T>& a) {
  const index_t M = a.x.shape[0], O = a.w.shape[0], I = a.w.shape[1];
  check_shape("x", a.x, "(M, I)", {M, I});
  check_optional("b", a.b, "(O,)", {O});
  check_shape("y", a.y, "(M, O)", {M, O});
  run(nn_kernels<T>().linear_forward, a, double(M) * double(I) * double(O));
}

template <class T>
void linear_backward(const LinearBackwardArgs<T>& a) {
  const index_t M = a.x.shape[0], O = a.w.shape[0], I = a.w.shape[1];
  check_shape("x", a.x, "(M, I)", {M, I});
  check_shape("dy", a.dy, "(M, O)", {M, O});
  check_optional("dx", a.dx, "(M, I)", {M, I});
  check_optional("dw", a.dw, "(O, I)", {O, I});
  check_optional("db", a.db, "(O,)", {O});
  const int products = int(bool(a.dx)) + int(bool(a.dw));
  run(nn_kernels<T>().linear_backward, a, products * double(M) * double(I) * double(O));
}

template <class T>
void embedding_forward(const EmbeddingForwardArgs<T>& args) {
  EmbeddingForwardArgs<T> a = args;
  const auto ids = own(a.ids);
  const index_t M = a.ids.shape[0], V = a.w.shape[0], E = a.w.shape[1];
  check_shape("y", a.y, "(M, E)", {M, E});
  check_ids("ids", a.ids, V, {});
  run(nn_kernels<T>().embedding_forward, a, kCopied * double(M) * double(E));
}

template <class T>
void embedding_backward(const EmbeddingBackwardArgs<T>& args) {
  EmbeddingBackwardArgs<T> a = args;
  const auto ids = own(a.ids);
  const index_t M = a.ids.shape[0], V = a.dw.shape[0], E = a.dw.shape[1];
  check_shape("dy", a.dy, "(M, E)", {M, E});
  check_ids("ids", a.ids, V, {});
  run(nn_kernels<T>().embedding_backward, a, kCopied * double(M) * double(E));
}

template <class T>
LossSum softmax_cross_entropy_forward(const SoftmaxForwardArgs<T>& args) {
  SoftmaxForwardArgs<T> a = args;
  const auto targets = own(a.targets.ids);
  const index_t M = a.logits.shape[0], V = a.logits.shape[1];
  check_targets(a.logits, a.targets, a.kept);
  check_shape("loss", a.loss, "(M,)", {M});
  run(nn_kernels<T>().softmax_cross_entropy_forward, a, kExponential * double(M) * double(V));
  LossSum sum{0, 0};
  for (index_t m = 0; m < M; ++m) {
    sum.total += double(*a.loss.at(m));
    sum.count += *a.targets.ids.at(m) != a.targets.ignore_index;
  }
  return sum;
}

template <class T>
void softmax_cross_entropy_backward(const SoftmaxBackwardArgs<T>& args) {
  SoftmaxBackwardArgs<T> a = args;
  const auto targets = own(a.targets.ids);
  const index_t M = a.logits.shape[0], V = a.logits.shape[1];
  check_targets(a.logits, a.targets, a.kept);
  check_shape("dloss", a.dloss, "(M,)", {M});
  check_shape("dlogits", a.dlogits, "(M, V)", {M, V});
  run(nn_kernels<T>().softmax_cross_entropy_backward, a, kExponential * double(M) * double(V));
}

// So many logits are made at a time. With fewer the weights are packed more often: of 1,120 rows
// and 50,000 classes parts of 112 rows cost 14 % more than one, of 56 rows 20 % (one thread, Xeon).
constexpr index_t kLogitBytes = index_t{80} << 20;

template <class T>
LossSum linear_cross_entropy(const LinearLossArgs<T>& args) {
  LinearLossArgs<T> a = args;
  const auto targets = own(a.targets.ids);
  const index_t M = a.x.shape[0], V = a.w.shape[0], I = a.w.shape[1];
  check_shape("x", a.x, "(M, I)", {M, I});
  check_shape("loss", a.loss, "(M,)", {M});
  check_optional("b", a.b, "(V,)", {V});
  check_optional("dloss", a.dloss, "(M,)", {M});
  check_optional("dx", a.dx, "(M, I)", {M, I});
  check_optional("dw", a.dw, "(V, I)", {V, I});
  check_optional("db", a.db, "(V,)", {V});
  check_shape("targets", a.targets.ids, "(M,)", {M});
  FASTRNN_CHECK(M == 0 || V >= 1, "w must have shape (V, I) with V >= 1");
  check_ids("targets", a.targets.ids, V, a.targets.ignore_index);
  const index_t limit = kLogitBytes / static_cast<index_t>(sizeof(T)) / std::max<index_t>(V, 1);
  const index_t most = std::min(std::max<index_t>(limit, 16), std::max<index_t>(M, 1));
  Scratch scratch;
  const auto some_logits = scratch.add<T>(most, V), some_kept = scratch.add<T>(most, 2);
  scratch.allocate();
  LossSum sum{0, 0};
  for (index_t m = 0; m == 0 || m < M; m += most) {
    const index_t n = std::min(most, M - m);
    const auto part = [&](auto view) {
      if (view) view.data = view.at(m);
      view.shape[0] = n;
      return view;
    };
    const View<T, 2> y{scratch.at(some_logits), {n, V}, {V, 1}};
    const View<T, 2> kept{scratch.at(some_kept), {n, 2}, {2, 1}};
    const View<const T, 2> logits{y.data, {n, V}, {V, 1}}, scale{kept.data, {n, 2}, {2, 1}};
    const Targets right{part(a.targets.ids), a.targets.ignore_index, a.targets.label_smoothing};
    linear_forward<T>({a.num_threads, part(a.x), a.w, a.b, y});
    const LossSum here =
        softmax_cross_entropy_forward<T>({a.num_threads, logits, right, part(a.loss), kept});
    sum = {sum.total + here.total, sum.count + here.count};
    if (!a.dloss) continue;
    softmax_cross_entropy_backward<T>({a.num_threads, part(a.dloss), logits, right, scale, y});
    linear_backward<T>({a.num_threads, logits, part(a.x), a.w, part(a.dx), a.dw, a.db, m > 0});
  }
  return sum;
}

template <class T>
void largest(const LargestArgs<T>& a) {
  const index_t M = a.x.shape[0], V = a.x.shape[1], K = a.values.shape[1];
  FASTRNN_CHECK(K >= 1 && K <= V, "values must have K in 1..V columns");
  check_shape("values", a.values, "(M, K)", {M, K});
  check_shape("places", a.places, "(M, K)", {M, K});
  run(nn_kernels<T>().largest, a, kCopied * double(M) * double(V));
}

template <class T>
void dropout(const DropoutArgs<T>& a) {
  check_shape("y", a.y, "(K,)", {a.x.shape[0]});
  FASTRNN_CHECK(a.p >= 0 && a.p <= 1, "p must lie in 0..1");
  run(nn_kernels<T>().dropout_forward, a, kCopied * double(a.y.shape[0]));
}

template <class T>
void attention_forward(const AttentionForwardArgs<T>& args) {
  AttentionForwardArgs<T> a = args;
  const auto lengths = own(a.lengths);
  const index_t S = a.keys.shape[0], N = a.keys.shape[1], H = a.keys.shape[2];
  check_attention(a, a.attn);
  check_shape("context", a.context, "(N, H)", {N, H});
  run(nn_kernels<T>().attention_forward, a, 2 * kCopied * double(S) * double(N) * double(H));
}

template <class T>
void attention_backward(const AttentionBackwardArgs<T>& args) {
  AttentionBackwardArgs<T> a = args;
  const auto lengths = own(a.lengths);
  const index_t S = a.keys.shape[0], N = a.keys.shape[1], H = a.keys.shape[2];
  check_attention(a, a.attn);
  check_optional("dcontext", a.dcontext, "(N, H)", {N, H});
  check_optional("dattn", a.dattn, "(N, S)", {N, S});
  check_optional("dquery", a.dquery, "(N, H)", {N, H});
  check_optional("dkeys", a.dkeys, "(S, N, H)", {S, N, H});
  run(nn_kernels<T>().attention_backward, a, 3 * kCopied * double(S) * double(N) * double(H));
}

template <class T>
void gaussian_kl_forward(const GaussianKlForwardArgs<T>& a) {
  const index_t M = a.mu.shape[0], Z = a.mu.shape[1];
  check_gaussians(a);
  check_shape("kl", a.kl, "(M,)", {M});
  run(nn_kernels<T>().gaussian_kl_forward, a, kExponential * double(M) * double(Z));
}

template <class T>
void gaussian_kl_backward(const GaussianKlBackwardArgs<T>& a) {
  const index_t M = a.mu.shape[0], Z = a.mu.shape[1];
  check_gaussians(a);
  check_shape("dkl", a.dkl, "(M,)", {M});
  check_optional("dmu", a.dmu, "(M, Z)", {M, Z});
  check_optional("dlogvar", a.dlogvar, "(M, Z)", {M, Z});
  check_optional("dprior_mu", a.dprior_mu, "(M, Z)", {M, Z});
  check_optional("dprior_logvar", a.dprior_logvar, "(M, Z)", {M, Z});
  run(nn_kernels<T>().gaussian_kl_backward, a, kExponential * double(M) * double(Z));
}

template <class T>
void reparameterise_forward(const ReparameteriseForwardArgs<T>& a) {
  const index_t K = a.mu.shape[0];
  check_shape("logvar", a.logvar, "(K,)", {K});
  check_shape("eps", a.eps, "(K,)", {K});
  check_shape("z", a.z, "(K,)", {K});
  run(nn_kernels<T>().reparameterise_forward, a, kExponential * double(K));
}

template <class T>
void reparameterise_backward(const ReparameteriseBackwardArgs<T>& a) {
  const index_t K = a.dz.shape[0];
  check_shape("logvar", a.logvar, "(K,)", {K});
  check_shape("eps", a.eps, "(K,)", {K});
  check_optional("dmu", a.dmu, "(K,)", {K});
  check_optional("dlogvar", a.dlogvar, "(K,)", {K});
  run(nn_kernels<T>().reparameterise_backward, a, kExponential * double(K));
}

#define FASTRNN_INSTANTIATE(result, operation, Args) \
  template result operation(const Args<float>&);     \
  template result operation(const Args<double>&);
FASTRNN_INSTANTIATE(void, linear_forward, LinearForwardArgs)
FASTRNN_INSTANTIATE(void, linear_backward, LinearBackwardArgs)
FASTRNN_INSTANTIATE(void, embedding_forward, EmbeddingForwardArgs)
FASTRNN_INSTANTIATE(void, embedding_backward, EmbeddingBackwardArgs)
FASTRNN_INSTANTIATE(LossSum, softmax_cross_entropy_forward, SoftmaxForwardArgs)
FASTRNN_INSTANTIATE(void, softmax_cross_entropy_backward, SoftmaxBackwardArgs)
FASTRNN_INSTANTIATE(LossSum, linear_cross_entropy, LinearLossArgs)
FASTRNN_INSTANTIATE(void, largest, LargestArgs)
FASTRNN_INSTANTIATE(void, dropout, DropoutArgs)
FASTRNN_INSTANTIATE(void, attention_forward, AttentionForwardArgs)
FASTRNN_INSTANTIATE(void, attention_backward, AttentionBackwardArgs)
FASTRNN_INSTANTIATE(void, gaussian_kl_forward, GaussianKlForwardArgs)
FASTRNN_INSTANTIATE(void, gaussian_kl_backward, GaussianKlBackwardArgs)
FASTRNN_INSTANTIATE(void, reparameterise_forward, ReparameteriseForwardArgs)
FASTRNN_INSTANTIATE(void, reparameterise_backward, ReparameteriseBackwardArgs)
#undef FASTRNN_INSTANTIATE

}  // namespace fastrnn
