// KernelTable: what one ISA offers for one float type, one function pointer per operation.
#pragma once

#include <cstddef>

#include "fastrnn/rnn/args.h"
#include "fastrnn/team/team.h"
#include "fastrnn/team/work.h"

namespace fastrnn {

// Weights in panel order; J = ceil(H / lanes) unit panels, padded with zeros. A "group" is what one
// tile reads side by side: for forward, panels x products of the cell. Null: not there.
template <class T>
struct Panels {
  T* w_ih = nullptr;      // [group][k < I][vector][lane], slots 0 .. x_products
  T* w_hh[2] = {};        // of each stage: [group][k][vector][lane]
  T* bias = nullptr;      // [panel][slot][lane]
  T* peephole = nullptr;  // [panel][i f o][lane]
  T* w_peephole[2] = {};  // full, of each stage: [panel][k < H][vector][lane]
  T* w_hr = nullptr;      // [group of 4 panels of P][k < H][vector][lane]
  T* gains = nullptr;     // [panel][slots of W·x, slots of U·h, c's gain and shift][lane]
};

// How the rows of a batch enter and leave, in processing order: step q is time q, or T'-1-q in
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
  // Where the shortest run of steps begins that ends at `end` and has so many rows.
  index_t chunk_begin(index_t end, index_t enough) const {
    index_t q = end;
    for (index_t rows_in = 0; q > 0 && (rows_in < enough || q == end);) rows_in += rows(--q);
    return q;
  }
  // Of sorted row r at step q among the rows of the chunk that ends at step `end`; steps fall, so
  // that the order of the rows does not depend on where the chunk begins.
  FASTRNN_INLINE index_t place_in_chunk(index_t q, index_t end, index_t r) const {
    return first_row(end) - first_row(q + 1) + r;
  }
  FASTRNN_INLINE index_t caller_row(index_t r) const { return order == nullptr ? r : order[r]; }
  FASTRNN_INLINE index_t row_length(index_t r) const {
    return length == nullptr ? count : length[r];
  }
};

// What sorted row r reads at step q: its own row of x (T, N, ·), or the row of a table (1, V, ·)
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

enum class Split : int { rows, units };

// A chunk is the shortest run of whole steps with at least so many rows.
struct Plan {
  int threads = 1;
  Split split = Split::rows;
  Work work;                  // of the whole call; not known where the plan was forced
  index_t forward_rows = 1;   // the input projection is hoisted over a chunk
  index_t backward_rows = 1;  // weight gradients are taken chunk by chunk
  index_t gradient_rows = 1;  // ... and so many rows of one are packed at once
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
  const Panels<T>* panels = nullptr;  // null: the team packs the layer's weights into scratch
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

// What one ISA does for one cell. The *bytes functions size the block that the others carve up.
template <class T>
struct CellKernels {
  int unit_grain;  // panels that a unit split keeps together
  Kernel<ForwardTask<T>> forward;
  Kernel<BackwardTask<T>> backward;
};

template <class T>
struct KernelTable {
  Isa isa;
  const char* name;  // compiled into the ISA's own object file
  index_t lanes;     // T per vector
  CellKernels<T> cells[kCells];
  std::size_t (*packed_bytes)(const CellShape&, const RnnWeights<T>&, const Dims&);
  Panels<T> (*pack)(const CellShape&, const RnnWeights<T>&, const Dims&, unsigned char* block,
                    Team&);
  void (*exp)(const T* x, T* y, index_t n);
  void (*sigmoid)(const T* x, T* y, index_t n);
  void (*tanh)(const T* x, T* y, index_t n);

  const CellKernels<T>& operator[](Cell cell) const { return cells[static_cast<int>(cell)]; }
};

#define FASTRNN_DECLARE_TABLES(target)        \
  namespace target {                          \
  extern const KernelTable<float> table_f32;  \
  extern const KernelTable<double> table_f64; \
  }
FASTRNN_FOR_EACH_ISA(FASTRNN_DECLARE_TABLES)
#undef FASTRNN_DECLARE_TABLES

}  // namespace fastrnn
