// KernelTable: what one ISA offers for one float type, one function pointer per operation.
#pragma once

#include <cstddef>

#include "fastrnn/cpu.h"
#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/narrow.h"
#include "fastrnn/team/team.h"
#include "fastrnn/team/work.h"

namespace fastrnn {

// The order in which the rows of a ragged batch are processed: step q is time q, or T'-1-q in
// reverse, where T' is the longest length. Rows are sorted by falling length, so the rows that
// exist at step q are the first active[q].
struct Steps {
  index_t count = 0;  // T'
  bool reverse = false;
  index_t batch = 0;  // N
  // All four are null when every row has all steps.
  const index_t* active = nullptr;  // [count]
  const index_t* offset = nullptr;  // [count + 1] first workspace row of a step
  const index_t* order = nullptr;   // [N] sorted row -> caller's row
  const index_t* length = nullptr;  // [N] length of a sorted row

  FASTRNN_INLINE index_t time(index_t q) const { return reverse ? count - 1 - q : q; }
  FASTRNN_INLINE index_t rows(index_t q) const {
    return q < 0 || q >= count ? 0 : active == nullptr ? batch : active[q];
  }
  FASTRNN_INLINE index_t first_row(index_t q) const {
    return offset == nullptr ? q * batch : offset[q];
  }
  // The first step of the shortest run of steps that ends at `end` and has at least `enough` rows.
  FASTRNN_INLINE index_t chunk_begin(index_t end, index_t enough) const {
    index_t q = end;
    for (index_t rows_in = 0; q > 0 && (rows_in < enough || q == end);) rows_in += rows(--q);
    return q;
  }
  // The place of sorted row r at step q among the rows of the chunk that ends at step `end`. The
  // last step comes first, so that the order does not depend on where the chunk begins.
  FASTRNN_INLINE index_t place_in_chunk(index_t q, index_t end, index_t r) const {
    return first_row(end) - first_row(q + 1) + r;
  }
  FASTRNN_INLINE index_t caller_row(index_t r) const { return order == nullptr ? r : order[r]; }
  FASTRNN_INLINE index_t row_length(index_t r) const {
    return length == nullptr ? count : length[r];
  }
};

// The input of sorted row r at step q: its own row of x (T, N, ·), or the row of a table (1, V, ·)
// that ids (T, N) name.
template <class T>
FASTRNN_INLINE T* row_at(const View<T, 3>& x, const View<const index_t, 2>& ids, const Steps& steps,
                         index_t q, index_t r) {
  const index_t t = steps.time(q), n = steps.caller_row(r);
  return ids ? x.at(0, *ids.at(t, n)) : x.at(t, n);
}

// Elements of a row of what layer normalisation keeps, `unit` of them to a slot: the normalised W·x
// and U·h as [panel][slot][lane], the normalised c, and 1/sigma of each of their groups.
inline constexpr index_t kScales = 16;
FASTRNN_INLINE constexpr index_t normed_row(index_t unit, int slots, bool cell_state) {
  return unit * (2 * slots + cell_state) + kScales;
}

enum class Split : int { rows, units, calls };  // calls: of two, each has a thread to itself

// A chunk is the shortest run of whole steps with at least so many rows.
struct Plan {
  int threads = 1;
  Split split = Split::rows;
  Work work;  // of the whole call; not known where the plan was forced
  // Where one layer follows another, it does so by a chunk.
  index_t forward_rows = 1;   // the input projection is hoisted over a chunk
  index_t backward_rows = 1;  // weight gradients are taken chunk by chunk
  index_t gradient_rows = 1;  // ... and so many rows of one are packed at once
  Dots dots = Dots::none;     // of products by narrow weights
};

// One layer, one direction, as the kernels see it.
template <class T>
struct Task {
  Layer<T> layer;
  Inputs<T> in;
  Options on;
  Dims dims;
  Steps steps;
  Plan plan;
  Kept<T> kept;
  unsigned char* scratch = nullptr;
};

template <class T>
struct ForwardTask : Task<T> {
  // As KernelTable::pack has filled it; null: the team packs the layer's weights into scratch.
  unsigned char* packed = nullptr;
  View<T, 3> y;
  View<T, 2> h_n, c_n;
};

template <class T>
struct BackwardTask : Task<T> {
  View<const T, 3> y;
  RnnBackwardArgs<T> args;  // dy, dh_n, dc_n and the outputs
};

template <class Task>
struct Kernel {
  std::size_t (*bytes)(const Task&) = nullptr;
  void (*run)(const Task&, Team&) = nullptr;
};

// The kernels of one ISA for one cell. Each `bytes` is the size of the block that `run` carves up.
// Backward stands in rows of plain weights alone, which packs what it needs in the precision of the
// layer; bytes have no forward of a plain cell whose h can leave -1 .. 1: the general one stands
// in.
template <class T>
struct CellKernels {
  int unit_grain;  // panels that a unit split keeps together
  Kernel<ForwardTask<T>> forward;
  Kernel<BackwardTask<T>> backward;
};

// Whether a call uses each weight once, by a single row: weights are then multiplied as they lie,
// as packing them first would take longer than the product itself. Weights without rows of their
// own (strides of 0) may be of any size, for which there is then no memory to pack them, as it
// should be.
template <class T>
FASTRNN_INLINE bool reads_once(const Layer<T>& layer, const Options& on, const Dims& dims) {
  return layer.packed == nullptr && layer.precision == Precision::plain && !on.norm &&
         dims.T == 1 && dims.N == 1 && layer.weights.w_hh.stride[0] != 0;
}

// A row of the tables, for calls in T: its packed weights may be of a type of their own.
template <class T>
struct KernelTable {
  Isa isa;
  const char* name;  // compiled into the ISA's own object file
  index_t lanes;     // T per vector
  Precision precision;
  index_t weight_bytes;  // of a packed weight
  // What a CPU must have for Dots::words and Dots::tiles; null: this row has no such code.
  bool CpuFeatures::*words, CpuFeatures::*tiles;
  CellKernels<T> cells[kCells];
  const KernelTable* plain;  // the row of plain weights of the same instruction set
  std::size_t (*packed_bytes)(const CellShape&, const RnnWeights<T>&, const Dims&);
  void (*pack)(const CellShape&, const RnnWeights<T>&, const Dims&, unsigned char* block, Team&);
  void (*exp)(const T* x, T* y, index_t n);  // as the next two: rows of plain weights
  void (*sigmoid)(const T* x, T* y, index_t n);
  void (*tanh)(const T* x, T* y, index_t n);

  const CellKernels<T>& operator[](Cell cell) const { return cells[static_cast<int>(cell)]; }
};

// THE LIST of rows: X(name, float type of the calls, type of the packed weights, more of X's own).
// Each is filled by a file of kernels/rnn/ (cpp/CMakeLists).
#define FASTRNN_FOR_EACH_PLAIN_ROW(X, ...) \
  X(f32, float, float __VA_OPT__(, ) __VA_ARGS__) X(f64, double, double __VA_OPT__(, ) __VA_ARGS__)
#define FASTRNN_FOR_EACH_ROW(X, ...)                     \
  FASTRNN_FOR_EACH_PLAIN_ROW(X, __VA_ARGS__)             \
  X(int8, float, std::int8_t __VA_OPT__(, ) __VA_ARGS__) \
  X(bfloat16, float, BFloat16 __VA_OPT__(, ) __VA_ARGS__)

#define FASTRNN_DECLARE_TABLE(row, T, W) extern const KernelTable<T> table_##row;
#define FASTRNN_DECLARE_TABLES(target)        \
  namespace target {                          \
  FASTRNN_FOR_EACH_ROW(FASTRNN_DECLARE_TABLE) \
  }
FASTRNN_FOR_EACH_ISA(FASTRNN_DECLARE_TABLES)
#undef FASTRNN_DECLARE_TABLES
#undef FASTRNN_DECLARE_TABLE

}  // namespace fastrnn
