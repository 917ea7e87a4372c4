// oneDNN's recurrent primitives as a few functions of C, for the bench beside it. Forward of one
// layer and direction; weights in oneDNN's own order, made once.
#include <cstring>
#include <dnnl.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

enum Cell { kRnn, kLstm, kGruAfter, kGruBefore };
enum Precision { kFloat32, kBfloat16, kInt8 };

// Bytes are x·127/4 + 128: of x within -4 .. 4 and of h alike, as the primitive has one scale for
// both. Weights are scaled row by row.
constexpr float kScale = 127.0f / 4, kShift = 128.0f;

struct Layer {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
  memory x, y;  // float32, as the caller has them
  dnnl::primitive_attr attributes;

  memory plain(const memory::desc& desc, const float* data) {
    memory made(desc, engine);
    std::memcpy(made.get_data_handle(), data, desc.get_size());
    return made;
  }
  memory zeros(const memory::desc& desc) {
    memory made(desc, engine);
    std::memset(made.get_data_handle(), 0, desc.get_size());
    return made;
  }
  void convert(memory& from, memory& to, const dnnl::primitive_attr& how) {
    dnnl::reorder(dnnl::reorder::primitive_desc(from, to, how)).execute(stream, from, to);
    stream.wait();
  }
};

template <class Desc>
void finish(Layer& layer, const Desc& desc, const memory::desc (&weights)[2], const float* w_ih,
            const float* w_hh, const memory::desc& bias, const float* b) {
  layer.primitive = typename Desc::primitive_type(desc);
  const memory::desc wanted[] = {desc.weights_layer_desc(), desc.weights_iter_desc()};
  const float* const given[] = {w_ih, w_hh};
  for (int i = 0; i < 2; ++i) {
    memory from = layer.plain(weights[i], given[i]), to(wanted[i], layer.engine);
    layer.convert(from, to, layer.attributes);
    layer.arguments[i == 0 ? DNNL_ARG_WEIGHTS_LAYER : DNNL_ARG_WEIGHTS_ITER] = to;
  }
  layer.arguments[DNNL_ARG_BIAS] = layer.plain(bias, b);
}

// The description of a primitive, and which one that is.
template <class Primitive, class Desc = typename Primitive::primitive_desc>
struct Described : Desc {
  using primitive_type = Primitive;
  using Desc::Desc;
};
using Rnn = Described<dnnl::vanilla_rnn_forward>;
using Lstm = Described<dnnl::lstm_forward>;
using GruAfter = Described<dnnl::lbr_gru_forward>;
using GruBefore = Described<dnnl::gru_forward>;

std::unique_ptr<Layer> make(int cell, int precision, const int* sizes, const float* x,
                            const float* w_ih, const float* w_hh, const float* bias,
                            const float* scales) {
  auto layer = std::make_unique<Layer>();
  const int T = sizes[0], N = sizes[1], I = sizes[2], H = sizes[3];
  const int G = cell == kRnn ? 1 : cell == kLstm ? 4 : 3, biases = cell == kGruAfter ? 4 : G;
  const Type data = precision == kFloat32    ? Type::f32
                    : precision == kBfloat16 ? Type::bf16
                                             : Type::u8;
  const Type weight = precision == kInt8 ? Type::s8 : data;
  const memory::desc in({T, N, I}, data, Tag::tnc), out({T, N, H}, data, Tag::tnc);
  const memory::desc h({1, 1, N, H}, data, Tag::ldnc), c({1, 1, N, H}, Type::f32, Tag::ldnc);
  const memory::desc ih({1, 1, I, G, H}, weight, Tag::any), hh({1, 1, H, G, H}, weight, Tag::any);
  const memory::desc b({1, 1, biases, H}, Type::f32, Tag::ldgo);
  // The caller's are [input][gate][unit].
  const memory::desc given[] = {memory::desc({1, 1, I, G, H}, Type::f32, Tag::ldigo),
                                memory::desc({1, 1, H, G, H}, Type::f32, Tag::ldigo)};
  if (precision == kInt8) {
    layer->attributes.set_rnn_data_qparams(kScale, kShift);
    layer->attributes.set_rnn_weights_qparams((1 << 3) | (1 << 4),
                                              std::vector<float>(scales, scales + G * H));
  }
  auto& made = *layer;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto way = dnnl::rnn_direction::unidirectional_left2right;
  auto& arguments = layer->arguments;
  if (cell == kLstm) {
    finish(made, Lstm(made.engine, kind, way, in, h, c, ih, hh, b, out, h, c, made.attributes),
           given, w_ih, w_hh, b, bias);
    arguments[DNNL_ARG_SRC_ITER_C] = made.zeros(c);
    arguments[DNNL_ARG_DST_ITER_C] = made.zeros(c);
  } else if (cell == kGruAfter) {
    finish(made, GruAfter(made.engine, kind, way, in, h, ih, hh, b, out, h, made.attributes), given,
           w_ih, w_hh, b, bias);
  } else if (cell == kGruBefore) {
    finish(made, GruBefore(made.engine, kind, way, in, h, ih, hh, b, out, h, made.attributes),
           given, w_ih, w_hh, b, bias);
  } else {
    finish(made,
           Rnn(made.engine, kind, dnnl::algorithm::eltwise_tanh, way, in, h, ih, hh, b, out, h,
               made.attributes),
           given, w_ih, w_hh, b, bias);
  }
  layer->x = made.plain(memory::desc({T, N, I}, Type::f32, Tag::tnc), x);
  layer->y = memory(memory::desc({T, N, H}, Type::f32, Tag::tnc), made.engine);
  memory converted(in, made.engine), h0 = made.zeros(h), h_n = made.zeros(h);
  made.convert(layer->x, converted, layer->attributes);
  if (precision == kInt8) std::memset(h0.get_data_handle(), int(kShift), h.get_size());
  arguments[DNNL_ARG_SRC_LAYER] = converted;
  arguments[DNNL_ARG_SRC_ITER] = h0;
  arguments[DNNL_ARG_DST_ITER] = h_n;
  arguments[DNNL_ARG_DST_LAYER] = memory(out, made.engine);
  return layer;
}

std::string failure;

}  // namespace

extern "C" {

// sizes: T, N, I and H. w_ih [I][G][H], w_hh [H][G][H], bias [gates][H], of the
// GRU that resets after four of them. scales [G][H] of int8. Null: onednn_failure() says why.
void* onednn_make(int cell, int precision, const int* sizes, const float* x, const float* w_ih,
                  const float* w_hh, const float* bias, const float* scales) {
  try {
    return make(cell, precision, sizes, x, w_ih, w_hh, bias, scales).release();
  } catch (const std::exception& error) {
    failure = error.what();
    return nullptr;
  }
}

const char* onednn_failure() { return failure.c_str(); }

void onednn_run(void* made) {
  auto& layer = *static_cast<Layer*>(made);
  layer.primitive.execute(layer.stream, layer.arguments);
  layer.stream.wait();
}

// y of the last run, in float32.
void onednn_answer(void* made, float* y) {
  auto& layer = *static_cast<Layer*>(made);
  memory& out = layer.arguments[DNNL_ARG_DST_LAYER];
  const std::size_t count = layer.y.get_desc().get_size() / sizeof(float);
  if (out.get_desc().get_data_type() == Type::u8) {
    const auto* bytes = static_cast<const unsigned char*>(out.get_data_handle());
    for (std::size_t i = 0; i < count; ++i) y[i] = (float(bytes[i]) - kShift) / kScale;
    return;
  }
  layer.convert(out, layer.y, dnnl::primitive_attr());
  std::memcpy(y, layer.y.get_data_handle(), count * sizeof(float));
}

}  // extern "C"
