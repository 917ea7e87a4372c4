// Which instruction set is active: detection order, FASTRNN_ISA, set_isa.
#pragma once

#include <string>
#include <vector>

#include "fastrnn/rnn/narrow.h"
#include "fastrnn/types.h"

namespace fastrnn {

template <class T>
struct KernelTable;
template <class T>
struct NnTable;
struct Word2VecTable;
struct NarrowLinear;

// The active tables: all of one ISA. First use detects the CPU and honours FASTRNN_ISA, which can
// only lower. W: the type of packed weights, for the rows that rnn/table.h lists.
template <class T, class W = T>
const KernelTable<T>& kernels();
template <class T>
const NnTable<T>& nn_kernels();
const Word2VecTable& word2vec_kernels();
const NarrowLinear& narrow_linear(Precision precision);  // of int8 or bfloat16

Isa active_isa();
void set_isa(Isa isa);                       // Error when this CPU or build lacks it
std::vector<Isa> built_isas();               // compiled into this build, weakest first
std::vector<Isa> available_isas();           // of these the ones this CPU runs
const char* isa_name(Isa isa);               // "baseline", "avx2", "avx512"
Isa isa_from_name(const std::string& name);  // Error naming the available ones

}  // namespace fastrnn
