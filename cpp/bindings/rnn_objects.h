// Tape and PackedWeights as Python objects of either float type, with references to their arrays.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/gil.h"
#include "fastrnn/dispatch.h"
#include "fastrnn/rnn/ops.h"
#include "fastrnn/rnn/packed.h"
#include "fastrnn/rnn/tape.h"

namespace fastrnn::bindings {

// The scales of int8 matrices, as they come.
struct ScaleObjects {
  py::handle ih, hh, peephole, hr;
};

// The weight arguments of one layer and direction, as they come.
struct WeightObjects {
  py::handle w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm;

  template <class T>
  RnnWeights<T> weights(Extents& extents) const {
    constexpr Strides any = Strides::free;
    RnnWeights<T> weights = others<T>(extents);
    weights.w_hr = as_optional_input<T>("w_hr", w_hr, {"P", "H"}, extents, any);
    weights.w_ih = as_optional_input<T>("w_ih", w_ih, {"G*H", "I"}, extents, any);
    weights.w_hh = as_input<T>("w_hh", w_hh, {"G*H", "P"}, extents, any);
    return weights;
  }
  // w_ih, w_hh, w_hr and a w_peephole of matrices are int8 then.
  RnnWeights<float> weights_int8(const ScaleObjects& scales, Extents& extents) const {
    using Bytes = std::int8_t;
    constexpr Strides any = Strides::free;
    const bool whole =
        !w_peephole.is_none() && has_dtype<Bytes>(as_array("w_peephole", w_peephole));
    RnnWeights<float> weights = others<float>(extents, !whole);
    weights.q_ih = as_optional_input<Bytes>("w_ih", w_ih, {"G*H", "I"}, extents, any);
    weights.q_hh = as_input<Bytes>("w_hh", w_hh, {"G*H", "P"}, extents, any);
    weights.q_hr = as_optional_input<Bytes>("w_hr", w_hr, {"P", "H"}, extents, any);
    if (whole)
      weights.q_peephole = as_input<Bytes>("w_peephole", w_peephole, {"3*H", "H"}, extents, any);
    const auto scale = [&](const char* name, py::handle object, const char* axis) {
      return as_optional_input<float>(name, object, {axis}, extents, any);
    };
    weights.scale_ih = scale("scale_ih", scales.ih, "G*H");
    weights.scale_hh = scale("scale_hh", scales.hh, "G*H");
    weights.scale_peephole = scale("scale_peephole", scales.peephole, "3*H");
    weights.scale_hr = scale("scale_hr", scales.hr, "P");
    return weights;
  }

 private:
  template <class T>
  RnnWeights<T> others(Extents& extents, bool peepholes = true) const {
    constexpr Strides any = Strides::free;
    RnnWeights<T> weights;
    weights.b_ih = as_optional_input<T>("b_ih", b_ih, {"G*H"}, extents, any);
    weights.b_hh = as_optional_input<T>("b_hh", b_hh, {"G*H"}, extents, any);
    weights.w_norm = as_optional_input<T>("w_norm", w_norm, {"gains", "H"}, extents, any);
    if (!peepholes) return weights;
    const auto peephole = as_optional_input<T>("w_peephole", w_peephole, {"3", "H"}, extents, any);
    const bool whole = peephole && peephole.shape[0] != 3;  // 3·H rows: matrices
    (whole ? weights.w_peephole_full : weights.w_peephole) = peephole;
    return weights;
  }
};

// The masks of one call of a general cell, as they come.
struct MaskObjects {
  py::handle h_mask, h_keep, c_keep;

  template <class T>
  RnnMasks<T> masks(Extents& extents) const {
    RnnMasks<T> masks;
    masks.h_mask = as_optional_input<T>("h_mask", h_mask, {"N", "P"}, extents);
    if (!read_draws("h_keep", h_keep, masks.h_draws))
      masks.h_keep = as_optional_input<T>("h_keep", h_keep, {"T", "N", "P"}, extents);
    if (!read_draws("c_keep", c_keep, masks.c_draws))
      masks.c_keep = as_optional_input<T>("c_keep", c_keep, {"T", "N", "H"}, extents);
    return masks;
  }

 private:
  // (p, key): the core is to draw by itself.
  static bool read_draws(const char* name, py::handle object, Draws& draws) {
    if (!PyTuple_Check(object.ptr())) return false;
    try {
      const auto [p, key] = py::cast<std::pair<double, std::uint64_t>>(object);
      draws = {p, key};
    } catch (const py::cast_error&) {
      words::wrong_type(name, "an array or (p, key)", object);
    }
    if (!(draws.p > 0 && draws.p <= 1)) words::wrong(name, "have a p above 0 and at most 1");
    return true;
  }
};

// The C++ object inside of a Python one. Python can make an instance by __new__ alone; nothing is
// inside of it then, and pybind11's own cast would hand out uninitialised memory.
template <class Object>
Object& as_object(const char* name, const char* type, py::handle object) {
  // pybind11 looks it up by its name, under a lock.
  static const py::detail::type_info* const info = py::detail::get_type_info(typeid(Object));
  if (PyObject_TypeCheck(object.ptr(), info->type) == 0) words::wrong_type(name, type, object);
  auto* instance = reinterpret_cast<py::detail::instance*>(object.ptr());
  const auto held = instance->get_value_and_holder(info);
  if (!held.holder_constructed()) words::wrong(name, "be initialised, not made by __new__ alone");
  return *held.template value_ptr<Object>();
}

// The body of an __init__: puts a C++ object into a Python one, or leaves nothing behind.
// py::init registers the object where no exception may pass, so it would end the process when
// memory runs out there; and py::classh would delete the object twice, so these are py::class_.
template <class Object>
void hold(py::detail::value_and_holder& place, std::unique_ptr<Object> object) {
  place.value_ptr() = object.get();
  try {
    place.type->init_instance(place.inst, nullptr);
  } catch (...) {
    place.value_ptr() = nullptr;
    throw;
  }
  (void)object.release();
}

// Calls f with a zero of the float type that the array has: w_hh decides for a whole call.
template <class F>
auto with_float_type(const char* name, py::handle object, F&& f) {
  const py::array array = as_array(name, object);
  if (has_dtype<float>(array)) return f(float{});
  if (has_dtype<double>(array)) return f(double{});
  words::wrong_dtype(name, "float32 or float64", array);
}

class PackedObject {
 public:
  PackedObject(Cell cell, const WeightObjects& objects, const ScaleObjects& scales, bool bfloat16) {
    Extents extents;
    const auto pack = [&]<class T>(const RnnWeights<T>& weights, Precision precision) {
      without_gil(
          [&] { packed_.emplace(std::in_place_type<PackedWeights<T>>, cell, weights, precision); });
    };
    if (has_dtype<std::int8_t>(as_array("w_hh", objects.w_hh))) {
      if (bfloat16) words::wrong("bfloat16", "be False where w_hh is int8");
      pack(objects.weights_int8(scales, extents), Precision::int8);
      return;
    }
    const char* const when = "where w_hh is not int8";
    must_be_none("scale_ih", scales.ih, when);
    must_be_none("scale_hh", scales.hh, when);
    must_be_none("scale_peephole", scales.peephole, when);
    must_be_none("scale_hr", scales.hr, when);
    if (bfloat16) {
      pack(objects.weights<float>(extents), Precision::bfloat16);
      return;
    }
    with_float_type("w_hh", objects.w_hh, [&](auto zero) {
      pack(objects.weights<decltype(zero)>(extents), Precision::plain);
    });
  }

  template <class F>
  auto visit(F&& f) const {
    return std::visit(std::forward<F>(f), *packed_);
  }
  // The weights, for a call in T.
  template <class T>
  const PackedWeights<T>& get() const {
    if (const auto* const packed = std::get_if<PackedWeights<T>>(&*packed_)) return *packed;
    words::wrong("packed", std::string("be for calls in ") + dtype_name<T>());
  }
  std::size_t nbytes() const {
    return visit([](const auto& packed) { return packed.bytes(); });
  }
  const char* precision() const {
    return visit([]<class T>(const PackedWeights<T>& packed) {
      switch (packed.precision()) {
        case Precision::int8:
          return "int8";
        case Precision::bfloat16:
          return "bfloat16";
        case Precision::plain:
          break;
      }
      return dtype_name<T>();
    });
  }
  const char* isa() const {
    return visit([](const auto& packed) { return isa_name(packed.isa()); });
  }

 private:
  std::optional<std::variant<PackedWeights<float>, PackedWeights<double>>> packed_;
};

class TapeObject {
 public:
  // While one call works on a tape, another that wants it is refused, not left to race.
  class Use {
   public:
    explicit Use(TapeObject& tape) : tape_(tape) {
      if (tape.used_.exchange(true)) words::wrong("tape", "not be in use by another call");
    }
    ~Use() { tape_.used_ = false; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    TapeObject& tape_;
  };

  // A tape while forward fills it: it is as before unless keep() is called.
  template <class T>
  class Recording {
   public:
    explicit Recording(TapeObject& tape) : use_(tape), object_(tape) {
      if (tape.spent_ || !tape.empty())
        words::wrong("tape", "be new; this one has been filled before");
      tape.tape_.template emplace<Tape<T>>();
    }
    ~Recording() {
      if (!kept_) object_.tape_.template emplace<std::monostate>();
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

    Tape<T>& tape() { return std::get<Tape<T>>(object_.tape_); }
    // Forward has filled it; `arrays` are those whose memory it refers to.
    void keep(const Extents& extents, std::vector<py::object> arrays) {
      object_.extents_ = extents;
      object_.nbytes_ = tape().nbytes();
      object_.kept_ = std::move(arrays);
      kept_ = true;
    }

   private:
    const Use use_;
    TapeObject& object_;
    bool kept_ = false;
  };

  // Calls f(core tape) with the extents of what it keeps.
  template <class F>
  void read(F&& f) {
    const Use use(*this);
    visit_filled(f);
  }

  // The same for backward, after which memory and references are given back.
  template <class F>
  void consume(F&& backward) {
    const Use use(*this);
    try {
      visit_filled(backward);
    } catch (...) {
      if (std::visit([](auto& tape) { return is_spent(tape); }, tape_)) clear();
      throw;
    }
    clear();
  }

  bool spent() const { return spent_; }
  std::size_t nbytes() const { return nbytes_; }

 private:
  bool empty() const { return std::holds_alternative<std::monostate>(tape_); }

  template <class F>
  void visit_filled(F& f) {
    if (spent_) words::wrong("tape", "be fresh: a tape serves one backward, and this one is spent");
    if (empty()) words::wrong("tape", "have been filled by rnn_forward");
    if (auto* single = std::get_if<Tape<float>>(&tape_)) f(*single, extents_);
    if (auto* twice = std::get_if<Tape<double>>(&tape_)) f(*twice, extents_);
  }

  static bool is_spent(const std::monostate&) { return false; }
  template <class T>
  static bool is_spent(const Tape<T>& tape) {
    return tape.spent;
  }
  void clear() {
    spent_ = true;
    nbytes_ = 0;
    tape_.emplace<std::monostate>();
    kept_.clear();
  }

  std::variant<std::monostate, Tape<float>, Tape<double>> tape_;
  std::vector<py::object> kept_;
  Extents extents_;
  std::atomic<std::size_t> nbytes_{0};  // what may be read while a call is at work
  std::atomic<bool> spent_{false}, used_{false};
};

}  // namespace fastrnn::bindings
