// attention_decoder: validate, the products before the loop, the time loop, the products after it.
#include "fastrnn/nn/decoder.h"

#include <type_traits>

#include "fastrnn/dispatch.h"
#include "fastrnn/nn/decoder_checks.h"
#include "fastrnn/nn/decoder_weights.h"
#include "fastrnn/nn/narrow_linear.h"
#include "fastrnn/nn/ops.h"
#include "fastrnn/nn/run.h"

namespace fastrnn {
namespace {

// A contiguous (A, B, columns) array as A·B rows of so many of its columns, from one on.
template <class T>
View<T, 2> rows_of(const View<T, 3>& v, index_t column, index_t columns) {
  return {v.data + column, {v.shape[0] * v.shape[1], columns}, {v.shape[2], 1}};
}
template <class T>
View<const T, 2> input_rows(const View<T, 3>& v, index_t column, index_t columns) {
  return {v.data + column, {v.shape[0] * v.shape[1], columns}, {v.shape[2], 1}};
}
template <class T>
View<const T, 2> input_rows(const View<const T, 3>& v, index_t column, index_t columns) {
  return rows_of(v, column, columns);
}

// The first `steps` of an array that has more, from step `first` on.
template <class T>
View<const T, 3> steps_of(const View<const T, 3>& v, index_t first, index_t steps) {
  return {v.at(first), {steps, v.shape[1], v.shape[2]}, {v.stride[0], v.stride[1], v.stride[2]}};
}

// Part of a weight, or of the gradient by one; absent where it is.
template <class T>
View<T, 2> part(const View<T, 2>& w, index_t row, index_t rows, index_t column, index_t columns) {
  if (!w) return {};
  return {w.at(row, column), {rows, columns}, {w.stride[0], w.stride[1]}};
}
template <class T>
View<T, 1> part(const View<T, 1>& b, index_t first, index_t count) {
  if (!b) return {};
  return {b.at(first), {count}, {b.stride[0]}};
}

// Multiply-adds of the loop, in one direction.
double loop_work(const Sizes& s) {
  const double cell = 4.0 * double(s.H) * double(s.F + s.H) + double(s.A) * double(s.H);
  const double attend = double(s.S) * (kExponential * double(s.A) + 2 * double(s.C));
  return double(s.T) * double(s.N) * (cell + attend + double(s.O) * double(s.H + s.C));
}

// The part of the gates that does not depend on the state, except hn.
template <class T>
void sum_biases(const DecoderInputs<T>& a, const Sizes& s, T* bias) {
  const index_t both = (a.lstm ? 4 : 2) * s.H;
  for (index_t i = 0; i < s.G * s.H; ++i)
    bias[i] = (a.b_ih ? *a.b_ih.at(i) : T(0)) + (a.b_hh && i < both ? *a.b_hh.at(i) : T(0));
}

// The gates before the time loop: W_ih x and the biases.
template <class T>
void inputs_products(const DecoderForwardArgs<T>& a, const Sizes& s) {
  Scratch scratch;
  const auto bias = scratch.add<T>(s.G, s.H);
  scratch.allocate();
  sum_biases<T>(a, s, scratch.at(bias));
  const View<const T, 2> x = input_rows(a.x, 0, s.E);
  const View<const T, 1> b{scratch.at(bias), {s.G * s.H}, {1}};
  const View<T, 2> gates = rows_of(a.gates, 0, s.G * s.H);
  if constexpr (std::is_same_v<T, float>) {
    if (a.weights && a.weights->narrow().linear) {
      const NarrowDecoder& narrow = a.weights->narrow();
      run(narrow.linear->multiply, NarrowLinearArgs{x, b, gates, a.weights->for_x(), narrow.dots},
          a.num_threads, {double(s.T) * double(s.N) * double(s.E) * double(s.G * s.H) / 2});
      return;
    }
  }
  linear_forward<T>({a.num_threads, x, part(a.w_ih, 0, s.G * s.H, 0, s.E), b, gates});
}

// linear_backward where anything of it is wanted.
template <class T>
void products(int threads, const View<const T, 2>& dy, const View<const T, 2>& x,
              const View<const T, 2>& w, const View<T, 2>& dx, const View<T, 2>& dw,
              const View<T, 1>& db) {
  if (dx || dw || db) linear_backward<T>({threads, dy, x, w, dx, dw, db});
}

// The gradients by the cell's weights and by x.
template <class T>
void cell_products(const DecoderBackwardArgs<T>& a, const Sizes& s) {
  const index_t rows = s.G * s.H, joint = a.lstm ? rows : 2 * s.H;
  const auto dgates = input_rows(a.gates, 0, rows), dh = input_rows(a.gates, 0, joint);
  const View<T, 2> dx = a.dx ? rows_of(a.dx, 0, s.E) : View<T, 2>{};
  products<T>(a.num_threads, dgates, input_rows(a.x, 0, s.E), part(a.w_ih, 0, rows, 0, s.E), dx,
              part(a.dw_ih, 0, rows, 0, s.E), a.db_ih);
  const View<const T, 3> fed = a.current ? a.fed : a.contexts;
  if (s.F > 0)
    products<T>(a.num_threads, dgates, input_rows(steps_of(fed, 0, s.T), 0, s.F),
                part(a.w_ih, 0, rows, s.E, s.F), {}, part(a.dw_ih, 0, rows, s.E, s.F), {});
  const auto h = input_rows(steps_of(a.states, 0, s.T), 0, s.H);
  products<T>(a.num_threads, dh, h, part(a.w_hh, 0, joint, 0, s.H), {},
              part(a.dw_hh, 0, joint, 0, s.H), part(a.db_hh, 0, joint));
  if (!a.lstm)
    products<T>(a.num_threads, input_rows(a.gates, 3 * s.H, s.H), h,
                part(a.w_hh, joint, s.H, 0, s.H), {}, part(a.dw_hh, joint, s.H, 0, s.H),
                part(a.db_hh, joint, s.H));
}

// The gradients by the weights of the score and of the output, and by memory.
template <class T>
void attention_products(const DecoderBackwardArgs<T>& a, const DecoderWork<T>& w, const Sizes& s) {
  const auto queried = input_rows(steps_of(a.states, a.current ? 1 : 0, s.T), 0, s.H);
  if (a.w_query)
    products<T>(a.num_threads, input_rows(w.dqueries, 0, s.A), queried, a.w_query, {}, a.dw_query,
                {});
  if (a.w_key) {
    const View<T, 2> dmemory = a.dmemory ? rows_of(a.dmemory, 0, s.C) : View<T, 2>{};
    products<T>(a.num_threads, input_rows(w.dkeys, 0, s.A), input_rows(a.memory, 0, s.C), a.w_key,
                dmemory, a.dw_key, a.db_key);
    // The sum of the rows alone.
    const View<const T, 2> dvector{w.dvector.data, {s.N, s.A}, {s.A, 1}};
    products<T>(a.num_threads, dvector, {w.dvector.data, {s.N, 0}, {0, 1}},
                {w.dvector.data, {s.A, 0}, {0, 1}}, {}, {}, a.dvector);
  }
  if (a.dmemory)
    run(nn_kernels<T>().attention_decoder_memory, DecoderMemoryTask<T>{a, w}, a.num_threads,
        {2.0 * double(s.T) * double(s.N) * double(s.S) * double(s.C)});
  if (!a.w_output) return;
  const auto dy = input_rows(w.doutput, 0, s.O);
  products<T>(a.num_threads, dy, input_rows(steps_of(a.states, 1, s.T), 0, s.H),
              part(a.w_output, 0, s.O, 0, s.H), {}, part(a.dw_output, 0, s.O, 0, s.H), a.db_output);
  products<T>(a.num_threads, dy, input_rows(a.contexts, 0, s.C), part(a.w_output, 0, s.O, s.H, s.C),
              {}, part(a.dw_output, 0, s.O, s.H, s.C), {});
}

template <class T>
View<T, 3> array(T* data, index_t a, index_t b, index_t c) {
  return {data, {a, b, c}, {b * c, c, 1}};
}

template <class T>
void check_gradients(const DecoderBackwardArgs<T>& a, const Sizes& s) {
  check_optional("doutputs", a.doutputs, "(T, N, O)", {s.T, s.N, s.O});
  check_optional("dcontexts", a.dcontexts, "(T, N, C)", {s.T, s.N, s.C});
  check_optional("dattn", a.dattn, "(T, N, S)", {s.T, s.N, s.S});
  check_shape("dh", a.dh, "(N, H)", {s.N, s.H});
  FASTRNN_CHECK(bool(a.dc) == bool(a.cells) && bool(a.dfed) == bool(a.fed),
                "dc and dfed must be there exactly where cells and fed are");
  check_optional("dc", a.dc, "(N, H)", {s.N, s.H});
  check_optional("dfed", a.dfed, "(N, F)", {s.N, s.F});
  check_optional("dx", a.dx, "(T, N, E)", {s.T, s.N, s.E});
  check_optional("dmemory", a.dmemory, "(S, N, C)", {s.S, s.N, s.C});
  check_optional("dw_ih", a.dw_ih, "(G*H, E + F)", {s.G * s.H, s.E + s.F});
  check_optional("dw_hh", a.dw_hh, "(G*H, H)", {s.G * s.H, s.H});
  check_optional("db_ih", a.db_ih, "(G*H,)", {s.G * s.H});
  check_optional("db_hh", a.db_hh, "(G*H,)", {s.G * s.H});
  check_optional("dw_query", a.dw_query, "(A, H)", {s.A, s.H});
  check_optional("dw_key", a.dw_key, "(A, C)", {s.A, s.C});
  check_optional("db_key", a.db_key, "(A,)", {s.A});
  check_optional("dvector", a.dvector, "(A,)", {s.A});
  check_optional("dw_output", a.dw_output, "(O, H + C)", {s.O, s.H + s.C});
  check_optional("db_output", a.db_output, "(O,)", {s.O});
}

}  // namespace

template <class T>
void attention_decoder_forward(const DecoderForwardArgs<T>& args) {
  DecoderForwardArgs<T> a = args;
  const auto lengths = own(a.lengths), memory_lengths = own(a.memory_lengths);
  const auto memory_rows = own(a.memory_rows);
  const auto tokens = own(a.tokens), projected_rows = own(a.projected_rows);
  Sizes s = sizes_of<T>(a);
  if (!a.x) s.T = a.gates.shape[0], s.N = a.gates.shape[1];
  check_weights<T>(a, s);
  check_rows<T>(a, s);
  check_kept(a, s);
  check_ready(a, s);
  if (a.w_key && !a.keys_ready)
    linear_forward<T>(
        {a.num_threads, input_rows(a.memory, 0, s.C), a.w_key, a.b_key, rows_of(a.keys, 0, s.A)});
  if (a.x) inputs_products(a, s);
  const NnTable<T>& table = a.weights ? a.weights->table() : nn_kernels<T>();
  run(table.attention_decoder_forward,
      a.weights ? DecoderForwardTask<T>{a, a.weights->data(), a.weights->narrow()}
                : DecoderForwardTask<T>{a, nullptr, {}},
      a.num_threads, {loop_work(s)});
}

template <class T>
void attention_decoder_backward(const DecoderBackwardArgs<T>& args) {
  DecoderBackwardArgs<T> a = args;
  const auto lengths = own(a.lengths), memory_lengths = own(a.memory_lengths);
  const Sizes s = sizes_of<T>(a);
  FASTRNN_CHECK(!a.memory_rows, "memory_rows must be absent in backward");
  check_weights<T>(a, s);
  check_rows<T>(a, s);
  check_kept(a, s);
  check_gradients(a, s);
  Scratch scratch;
  const index_t keys = a.w_key ? s.S : 0;
  const auto dqueries = scratch.add<T>(s.T, s.N, s.A), dcontext = scratch.add<T>(s.T, s.N, s.C);
  const auto dscores = scratch.add<T>(s.T, s.N, s.S);
  const auto doutput = scratch.add<T>(s.T, s.N, a.w_output ? s.O : 0);
  const auto dkeys = scratch.add<T>(keys, s.N, s.A), dvector = scratch.add<T>(s.N, s.A);
  scratch.allocate();
  DecoderWork<T> work;
  work.dqueries = array(scratch.at(dqueries), s.T, s.N, s.A);
  work.dcontext = array(scratch.at(dcontext), s.T, s.N, s.C);
  work.dscores = array(scratch.at(dscores), s.T, s.N, s.S);
  if (a.w_output) work.doutput = array(scratch.at(doutput), s.T, s.N, s.O);
  if (a.w_key) work.dkeys = array(scratch.at(dkeys), s.S, s.N, s.A);
  work.dvector = {scratch.at(dvector), {s.N, s.A}, {s.A, 1}};
  run(nn_kernels<T>().attention_decoder_backward, DecoderBackwardTask<T>{a, work}, a.num_threads,
      {2 * loop_work(s)});
  cell_products(a, s);
  attention_products(a, work, s);
}

template void attention_decoder_forward(const DecoderForwardArgs<float>&);
template void attention_decoder_forward(const DecoderForwardArgs<double>&);
template void attention_decoder_backward(const DecoderBackwardArgs<float>&);
template void attention_decoder_backward(const DecoderBackwardArgs<double>&);

}  // namespace fastrnn
