// attention, gaussian_kl and reparameterise: arguments become Views, then the core runs.
#include <pybind11/pybind11.h>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "fastrnn/nn/ops.h"

namespace fastrnn::bindings {
namespace {

constexpr Strides kContiguous = Strides::contiguous;

void attention_forward_any(py::handle query, py::handle keys, py::handle lengths,
                           py::handle context, py::handle attn, py::handle num_threads) {
  with_float_type("keys", keys, [&]<class T>(T) {
    Extents extents;
    AttentionForwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.keys = as_input<T>("keys", keys, {"S", "N", "H"}, extents);
    args.query = as_input<T>("query", query, {"N", "H"}, extents);
    args.lengths = as_optional_input<index_t>("lengths", lengths, {"N"}, extents);
    args.context = as_output<T>("context", context, {"N", "H"}, extents, kContiguous);
    args.attn = as_output<T>("attn", attn, {"N", "S"}, extents, kContiguous);
    without_gil([&] { attention_forward(args); });
  });
}

void attention_backward_any(py::handle dcontext, py::handle dattn, py::handle query,
                            py::handle keys, py::handle lengths, py::handle attn, py::handle dquery,
                            py::handle dkeys, py::handle num_threads) {
  with_float_type("keys", keys, [&]<class T>(T) {
    Extents extents;
    AttentionBackwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.keys = as_input<T>("keys", keys, {"S", "N", "H"}, extents);
    args.dcontext = as_optional_input<T>("dcontext", dcontext, {"N", "H"}, extents);
    args.dattn = as_optional_input<T>("dattn", dattn, {"N", "S"}, extents);
    args.query = as_input<T>("query", query, {"N", "H"}, extents);
    args.lengths = as_optional_input<index_t>("lengths", lengths, {"N"}, extents);
    args.attn = as_input<T>("attn", attn, {"N", "S"}, extents);
    args.dquery = as_optional_output<T>("dquery", dquery, {"N", "H"}, extents);
    args.dkeys = as_optional_output<T>("dkeys", dkeys, {"S", "N", "H"}, extents);
    without_gil([&] { attention_backward(args); });
  });
}

// The four arrays that describe both Gaussians.
struct GaussianObjects {
  py::handle mu, logvar, prior_mu, prior_logvar;
};
template <class T, class Args>
void read_gaussians(const GaussianObjects& objects, Args& args, Extents& extents) {
  args.mu = as_input<T>("mu", objects.mu, {"M", "Z"}, extents);
  args.logvar = as_input<T>("logvar", objects.logvar, {"M", "Z"}, extents);
  args.prior_mu = as_optional_input<T>("prior_mu", objects.prior_mu, {"M", "Z"}, extents);
  args.prior_logvar =
      as_optional_input<T>("prior_logvar", objects.prior_logvar, {"M", "Z"}, extents);
}

void kl_forward_any(py::handle mu, py::handle logvar, py::handle prior_mu, py::handle prior_logvar,
                    py::handle kl, py::handle num_threads) {
  with_float_type("mu", mu, [&]<class T>(T) {
    Extents extents;
    GaussianKlForwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    read_gaussians<T>({mu, logvar, prior_mu, prior_logvar}, args, extents);
    args.kl = as_output<T>("kl", kl, {"M"}, extents, kContiguous);
    without_gil([&] { gaussian_kl_forward(args); });
  });
}

void kl_backward_any(py::handle dkl, py::handle mu, py::handle logvar, py::handle prior_mu,
                     py::handle prior_logvar, py::handle dmu, py::handle dlogvar,
                     py::handle dprior_mu, py::handle dprior_logvar, py::handle num_threads) {
  with_float_type("mu", mu, [&]<class T>(T) {
    Extents extents;
    GaussianKlBackwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    read_gaussians<T>({mu, logvar, prior_mu, prior_logvar}, args, extents);
    args.dkl = as_input<T>("dkl", dkl, {"M"}, extents, Strides::free);
    args.dmu = as_optional_output<T>("dmu", dmu, {"M", "Z"}, extents);
    args.dlogvar = as_optional_output<T>("dlogvar", dlogvar, {"M", "Z"}, extents);
    args.dprior_mu = as_optional_output<T>("dprior_mu", dprior_mu, {"M", "Z"}, extents);
    args.dprior_logvar = as_optional_output<T>("dprior_logvar", dprior_logvar, {"M", "Z"}, extents);
    without_gil([&] { gaussian_kl_backward(args); });
  });
}

void draw_forward_any(py::handle mu, py::handle logvar, py::handle eps, py::handle z,
                      py::handle num_threads) {
  with_float_type("mu", mu, [&]<class T>(T) {
    Extents extents;
    ReparameteriseForwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.mu = as_input<T>("mu", mu, {"K"}, extents);
    args.logvar = as_input<T>("logvar", logvar, {"K"}, extents);
    args.eps = as_input<T>("eps", eps, {"K"}, extents);
    args.z = as_output<T>("z", z, {"K"}, extents, kContiguous);
    without_gil([&] { reparameterise_forward(args); });
  });
}

void draw_backward_any(py::handle dz, py::handle logvar, py::handle eps, py::handle dmu,
                       py::handle dlogvar, py::handle num_threads) {
  with_float_type("dz", dz, [&]<class T>(T) {
    Extents extents;
    ReparameteriseBackwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.dz = as_input<T>("dz", dz, {"K"}, extents);
    args.logvar = as_input<T>("logvar", logvar, {"K"}, extents);
    args.eps = as_input<T>("eps", eps, {"K"}, extents);
    args.dmu = as_optional_output<T>("dmu", dmu, {"K"}, extents);
    args.dlogvar = as_optional_output<T>("dlogvar", dlogvar, {"K"}, extents);
    without_gil([&] { reparameterise_backward(args); });
  });
}

}  // namespace

void bind_latent(py::module_& m) {
  using py::arg;
  m.def("attention_forward", attention_forward_any, "One query a row over the keys of its row.",
        arg("query"), arg("keys"), arg("lengths"), arg("context"), arg("attn"),
        arg("num_threads") = 0);
  m.def("attention_backward", attention_backward_any, "Gradients of attention by query and keys.",
        arg("dcontext"), arg("dattn"), arg("query"), arg("keys"), arg("lengths"), arg("attn"),
        arg("dquery"), arg("dkeys"), arg("num_threads") = 0);
  m.def("gaussian_kl_forward", kl_forward_any, "The distance of two diagonal Gaussians, by row.",
        arg("mu"), arg("logvar"), arg("prior_mu"), arg("prior_logvar"), arg("kl"),
        arg("num_threads") = 0);
  m.def("gaussian_kl_backward", kl_backward_any, "Gradients of gaussian_kl by all four arrays.",
        arg("dkl"), arg("mu"), arg("logvar"), arg("prior_mu"), arg("prior_logvar"), arg("dmu"),
        arg("dlogvar"), arg("dprior_mu"), arg("dprior_logvar"), arg("num_threads") = 0);
  m.def("reparameterise_forward", draw_forward_any, "z = mu + exp(logvar / 2) eps.", arg("mu"),
        arg("logvar"), arg("eps"), arg("z"), arg("num_threads") = 0);
  m.def("reparameterise_backward", draw_backward_any, "Gradients of z by mu and logvar.", arg("dz"),
        arg("logvar"), arg("eps"), arg("dmu"), arg("dlogvar"), arg("num_threads") = 0);
}

}  // namespace fastrnn::bindings
