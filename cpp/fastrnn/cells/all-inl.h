// The cells of THE LIST (cells/list.h), for a file that is compiled per instruction set.
#pragma once

#include "fastrnn/cells/gru-inl.h"
#include "fastrnn/cells/lstm-inl.h"
#include "fastrnn/cells/rnn-inl.h"
