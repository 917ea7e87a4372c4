// The operations beside the recurrent ones, for the instruction set that every machine has.
#define FASTRNN_TARGET baseline
#define FASTRNN_VEC_BYTES 16
#include "fastrnn/kernels/nn_table-inl.h"
