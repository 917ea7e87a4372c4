// check_shape: a View has the shape that an operation's other arguments imply, or Error says not.
#pragma once

#include <initializer_list>
#include <string>

#include "fastrnn/error.h"
#include "fastrnn/view.h"

namespace fastrnn {

inline std::string shape_text(std::initializer_list<index_t> shape) {
  std::string text = "(";
  for (index_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + (shape.size() == 1 ? ",)" : ")");
}

// symbols: the same shape in letters, "(N, H)".
template <class T, int Rank>
void check_shape(const char* name, const View<T, Rank>& view, const char* symbols,
                 const index_t (&expected)[Rank]) {
  bool same = true;
  for (int i = 0; i < Rank; ++i) same = same && view.shape[i] == expected[i];
  if (same) return;
  const auto text = [](const index_t(&s)[Rank]) {
    if constexpr (Rank == 1) return shape_text({s[0]});
    if constexpr (Rank == 2) return shape_text({s[0], s[1]});
    if constexpr (Rank == 3) return shape_text({s[0], s[1], s[2]});
    if constexpr (Rank == 4) return shape_text({s[0], s[1], s[2], s[3]});
  };
  throw Error(std::string(name) + " must have shape " + symbols + " = " + text(expected) +
              ", got " + text(view.shape));
}

// For arguments that may be absent.
template <class T, int Rank>
void check_optional(const char* name, const View<T, Rank>& view, const char* symbols,
                    const index_t (&expected)[Rank]) {
  if (view) check_shape(name, view, symbols, expected);
}

}  // namespace fastrnn
