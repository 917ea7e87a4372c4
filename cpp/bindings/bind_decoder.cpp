// attention_decoder: dicts of arrays become Views, then the core runs.
#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/rnn_objects.h"
#include "fastrnn/nn/decoder.h"
#include "fastrnn/nn/decoder_weights.h"

namespace fastrnn::bindings {
namespace {

// The arrays of a dict by name; a name that nobody asks for is a mistake.
class Named {
 public:
  Named(const char* name, py::handle object) : name_(name) {
    if (!PyDict_CheckExact(object.ptr())) words::wrong_type(name, "a dict", object);
    dict_ = py::reinterpret_borrow<py::dict>(object);
  }

  py::object peek(const char* key) const {
    PyObject* const found = PyDict_GetItemString(dict_.ptr(), key);
    return found == nullptr ? py::none() : py::reinterpret_borrow<py::object>(found);
  }
  py::object get(const char* key) {
    used_ += static_cast<std::size_t>(PyDict_GetItemString(dict_.ptr(), key) != nullptr);
    return peek(key);
  }

  template <class T, int Rank>
  void input(const char* key, const char* const (&axes)[Rank], Extents& extents,
             View<const T, Rank>& to, Strides strides = Strides::contiguous) {
    to = as_optional_input<T>(key, get(key), axes, extents, strides);
  }
  template <class T, int Rank>
  void output(const char* key, const char* const (&axes)[Rank], Extents& extents,
              View<T, Rank>& to) {
    to = as_optional_output<T>(key, get(key), axes, extents);
  }

  void need(const char* key, bool there) const {
    if (!there) words::wrong(name_, std::string("hold ") + key);
  }
  void done() const {
    if (used_ != dict_.size())
      words::wrong(name_,
                   "hold known names only, got " + std::string(py::str(dict_)).substr(0, 60));
  }

 private:
  const char* name_;
  py::dict dict_;
  std::size_t used_ = 0;
};

Score as_score(py::handle object) {
  const std::string name = as_text("score", object);
  if (name == "additive") return Score::additive;
  if (name == "dot") return Score::dot;
  if (name == "general") return Score::general;
  words::wrong("score", "be additive, dot or general, got '" + name + "'");
}

// The options of a decoder.
struct Kind {
  py::handle lstm, score, current, feed, num_threads;
};

template <class T>
void read_inputs(const Kind& kind, Named& in, DecoderInputs<T>& a, Extents& extents) {
  a.num_threads = as_num_threads(kind.num_threads);
  a.lstm = as_bool("lstm", kind.lstm);
  a.current = as_bool("current", kind.current);
  a.score = as_score(kind.score);
  a.F = as_count("feed", kind.feed, 0, "an int");
  in.input<T>("x", {"T", "N", "E"}, extents, a.x);
  in.input<T>("memory", {"S", "M", "C"}, extents, a.memory);
  in.input<index_t>("lengths", {"N"}, extents, a.lengths);
  in.input<index_t>("memory_lengths", {"M"}, extents, a.memory_lengths);
  in.input<index_t>("memory_rows", {"N"}, extents, a.memory_rows);
  constexpr Strides free = Strides::free;
  in.input<T>("weight_ih", {"G*H", "E + F"}, extents, a.w_ih, free);
  in.input<T>("weight_hh", {"G*H", "H"}, extents, a.w_hh, free);
  in.input<T>("bias_ih", {"G*H"}, extents, a.b_ih, free);
  in.input<T>("bias_hh", {"G*H"}, extents, a.b_hh, free);
  in.input<T>("weight_query", {"A", "H"}, extents, a.w_query, free);
  in.input<T>("weight_key", {"A", "C"}, extents, a.w_key, free);
  in.input<T>("bias_key", {"A"}, extents, a.b_key, free);
  in.input<T>("vector", {"A"}, extents, a.vector);
  in.input<T>("weight_output", {"O", "H + C"}, extents, a.w_output, free);
  in.input<T>("bias_output", {"O"}, extents, a.b_output, free);
  in.need("memory, weight_ih and weight_hh", a.memory && a.w_ih && a.w_hh);
  in.need(
      "weight_query, weight_key and vector",
      a.score == Score::dot || (a.w_query && (a.score == Score::general || (a.w_key && a.vector))));
}

// int8 rows and their scales.
void read_rows(Named& in, const char* values, const char* scale, NarrowMatrix& to) {
  Extents extents;
  in.input<std::int8_t>(values, {"O", "I"}, extents, to.q, Strides::free);
  in.input<float>(scale, {"O"}, extents, to.scale);
}

class DecoderWeightsObject {
 public:
  DecoderWeightsObject(const Kind& kind, py::handle inputs, py::handle int8, py::handle bfloat16) {
    Named in("inputs", inputs);
    NarrowDecoder narrow;
    Precision precision = as_bool("bfloat16", bfloat16) ? Precision::bfloat16 : Precision::plain;
    if (!int8.is_none()) {
      if (precision != Precision::plain) words::wrong("bfloat16", "be False with int8");
      precision = Precision::int8;
      Named rows("int8", int8);
      read_rows(rows, "weight_ih", "scale_ih", narrow.w_ih);
      read_rows(rows, "weight_hh", "scale_hh", narrow.w_hh);
      read_rows(rows, "weight_query", "scale_query", narrow.w_query);
      read_rows(rows, "weight_output", "scale_output", narrow.w_output);
      rows.done();
    }
    with_float_type("weight_hh", in.peek("weight_hh"), [&]<class T>(T) {
      Extents extents;
      DecoderInputs<T> a;
      read_inputs<T>(kind, in, a, extents);
      in.done();
      without_gil(
          [&] { weights_.emplace(std::in_place_type<DecoderWeights<T>>, a, precision, narrow); });
    });
  }

  template <class T>
  const DecoderWeights<T>* get() const {
    const auto* const found = std::get_if<DecoderWeights<T>>(&*weights_);
    if (found == nullptr) words::wrong("weights", "be of the dtype of weight_hh");
    return found;
  }

 private:
  std::optional<std::variant<DecoderWeights<float>, DecoderWeights<double>>> weights_;
};

// The arrays that may have been made before the call.
template <class T>
void read_ready(py::handle weights, Named& in, DecoderForwardArgs<T>& a, Extents& extents) {
  if (!weights.is_none())
    a.weights = as_object<DecoderWeightsObject>("weights", "a DecoderWeights", weights).get<T>();
  in.input<T>("table", {"V", "G*H"}, extents, a.table);
  in.input<index_t>("tokens", {"T*N"}, extents, a.tokens);
  in.input<T>("projected", {"S'", "M'", "P"}, extents, a.projected);
  in.input<index_t>("projected_rows", {"M"}, extents, a.projected_rows);
  in.need("x", a.x || a.table);
}

void forward_any(py::handle lstm, py::handle score, py::handle current, py::handle feed,
                 py::handle keys_ready, py::handle inputs, py::handle outputs,
                 py::handle num_threads, py::handle weights) {
  Named in("inputs", inputs), out("outputs", outputs);
  with_float_type("weight_hh", in.peek("weight_hh"), [&]<class T>(T) {
    Extents extents;
    DecoderForwardArgs<T> a;
    a.keys_ready = as_bool("keys_ready", keys_ready);
    read_inputs<T>({lstm, score, current, feed, num_threads}, in, a, extents);
    read_ready<T>(weights, in, a, extents);
    in.done();
    out.output<T>("outputs", {"T", "N", "O"}, extents, a.outputs);
    out.output<T>("contexts", {"T", "N", "C"}, extents, a.contexts);
    out.output<T>("attn", {"T", "N", "S"}, extents, a.attn);
    out.output<T>("keys", {"S", "M", "A"}, extents, a.keys);
    out.output<T>("queries", {"T", "N", "A"}, extents, a.queries);
    out.output<T>("gates", {"T", "N", "4*H"}, extents, a.gates);
    out.output<T>("states", {"T + 1", "N", "H"}, extents, a.states);
    out.output<T>("cells", {"T + 1", "N", "H"}, extents, a.cells);
    out.output<T>("fed", {"T + 1", "N", "F"}, extents, a.fed);
    out.need("outputs, contexts, attn, gates and states",
             a.outputs && a.contexts && a.attn && a.gates && a.states);
    out.done();
    without_gil([&] { attention_decoder_forward(a); });
  });
}

template <class T>
void read_kept(Named& in, DecoderBackwardArgs<T>& a, Extents& extents) {
  in.input<T>("outputs", {"T", "N", "O"}, extents, a.outputs);
  in.input<T>("contexts", {"T", "N", "C"}, extents, a.contexts);
  in.input<T>("attn", {"T", "N", "S"}, extents, a.attn);
  in.input<T>("keys", {"S", "M", "A"}, extents, a.keys);
  in.input<T>("queries", {"T", "N", "A"}, extents, a.queries);
  in.input<T>("states", {"T + 1", "N", "H"}, extents, a.states);
  in.input<T>("cells", {"T + 1", "N", "H"}, extents, a.cells);
  in.input<T>("fed", {"T + 1", "N", "F"}, extents, a.fed);
  in.input<T>("doutputs", {"T", "N", "O"}, extents, a.doutputs);
  in.input<T>("dcontexts", {"T", "N", "C"}, extents, a.dcontexts);
  in.input<T>("dattn", {"T", "N", "S"}, extents, a.dattn);
  in.need("outputs, contexts, attn and states", a.outputs && a.contexts && a.attn && a.states);
}

void backward_any(py::handle lstm, py::handle score, py::handle current, py::handle feed,
                  py::handle inputs, py::handle outputs, py::handle num_threads,
                  py::handle truncate, py::handle clip_step) {
  Named in("inputs", inputs), out("outputs", outputs);
  with_float_type("weight_hh", in.peek("weight_hh"), [&]<class T>(T) {
    Extents extents;
    DecoderBackwardArgs<T> a;
    a.truncate = as_truncate(truncate);
    a.clip_step = as_clip_step<T>(clip_step);
    read_inputs<T>({lstm, score, current, feed, num_threads}, in, a, extents);
    in.need("x", bool(a.x));
    read_kept<T>(in, a, extents);
    in.done();
    out.output<T>("gates", {"T", "N", "4*H"}, extents, a.gates);
    out.output<T>("dh", {"N", "H"}, extents, a.dh);
    out.output<T>("dc", {"N", "H"}, extents, a.dc);
    out.output<T>("dfed", {"N", "F"}, extents, a.dfed);
    out.output<T>("dx", {"T", "N", "E"}, extents, a.dx);
    out.output<T>("dmemory", {"S", "M", "C"}, extents, a.dmemory);
    out.output<T>("dweight_ih", {"G*H", "E + F"}, extents, a.dw_ih);
    out.output<T>("dweight_hh", {"G*H", "H"}, extents, a.dw_hh);
    out.output<T>("dbias_ih", {"G*H"}, extents, a.db_ih);
    out.output<T>("dbias_hh", {"G*H"}, extents, a.db_hh);
    out.output<T>("dweight_query", {"A", "H"}, extents, a.dw_query);
    out.output<T>("dweight_key", {"A", "C"}, extents, a.dw_key);
    out.output<T>("dbias_key", {"A"}, extents, a.db_key);
    out.output<T>("dvector", {"A"}, extents, a.dvector);
    out.output<T>("dweight_output", {"O", "H + C"}, extents, a.dw_output);
    out.output<T>("dbias_output", {"O"}, extents, a.db_output);
    out.need("gates and dh", a.gates && a.dh);
    out.done();
    without_gil([&] { attention_decoder_backward(a); });
  });
}

}  // namespace

void bind_decoder(py::module_& m) {
  using py::arg;
  const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));
  py::class_<DecoderWeightsObject>(m, "DecoderWeights",
                                   "A decoder's matrices in the order kernels read.", plain)
      .def(
          "__init__",
          [](py::detail::value_and_holder& place, py::handle lstm, py::handle score,
             py::handle current, py::handle feed, py::handle inputs, py::handle int8,
             py::handle bfloat16) {
            const py::int_ threads(0);
            const Kind kind{lstm, score, current, feed, threads};
            hold(place, std::make_unique<DecoderWeightsObject>(kind, inputs, int8, bfloat16));
          },
          py::detail::is_new_style_constructor{}, arg("lstm"), arg("score"), arg("current"),
          arg("feed"), arg("inputs"), arg("int8") = py::none(), arg("bfloat16") = false);
  m.def("attention_decoder_forward", forward_any, "All steps of a decoder that attends to memory.",
        arg("lstm"), arg("score"), arg("current"), arg("feed"), arg("keys_ready"), arg("inputs"),
        arg("outputs"), arg("num_threads") = 0, arg("weights") = py::none());
  m.def("attention_decoder_backward", backward_any, "Gradients of attention_decoder.", arg("lstm"),
        arg("score"), arg("current"), arg("feed"), arg("inputs"), arg("outputs"),
        arg("num_threads") = 0, arg("truncate") = py::none(), arg("clip_step") = py::none());
}

}  // namespace fastrnn::bindings
