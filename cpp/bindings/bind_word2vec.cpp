// word2vec: counting a text, the tables of a training, and the training of some pieces of it.
#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/rnn_objects.h"
#include "fastrnn/check_shape.h"
#include "fastrnn/word2vec/frequent.h"
#include "fastrnn/word2vec/tables.h"
#include "fastrnn/word2vec/trainer.h"

namespace fastrnn::bindings {
namespace {

// A text file and the words that are looked for in it.
class TextObject {
 public:
  TextObject(std::string path, const std::string& lines)
      : pieces_(std::move(path)), words_(lines) {}
  Word2VecSource source() const { return source_of(pieces_, words_); }
  index_t pieces() const { return pieces_.pieces(); }
  index_t words() const { return words_.size(); }

 private:
  TextPieces pieces_;
  WordTable words_;
};

using TablesObject = Word2VecTables;

std::string as_bytes(const char* name, py::handle object) {
  if (!PyBytes_CheckExact(object.ptr())) words::wrong_type(name, "bytes", object);
  return object.cast<std::string>();
}

py::bytes bytes_of(const std::vector<std::int64_t>& numbers) {
  if (numbers.empty()) return py::bytes();
  return py::bytes(reinterpret_cast<const char*>(&numbers[0]), numbers.size() * sizeof(numbers[0]));
}

py::bytes bytes_of(const std::vector<std::int32_t>& numbers) {
  if (numbers.empty()) return py::bytes();
  return py::bytes(reinterpret_cast<const char*>(&numbers[0]), numbers.size() * sizeof(numbers[0]));
}

const TablesObject& as_tables(py::handle object) {
  return as_object<TablesObject>("tables", "Word2VecTables", object);
}

// The matrices of a training: rows of one length, a multiple of kRowFloats.
Word2VecRows as_rows(py::handle vectors, py::handle outputs, py::handle nodes,
                     const Word2VecPlan& plan, Extents& extents) {
  Word2VecRows rows;
  const auto matrix = [&](const char* name, py::handle object) {
    const auto view = as_output<float>(name, object, {"V", "stride"}, extents, Strides::contiguous);
    if (rows.stride == 0) rows.stride = view.shape[1];  // that of the first one, the vectors
    check_shape(name, view, "(V, stride)", {plan.V, rows.stride});
    return view.data;
  };
  rows.vectors = matrix("vectors", vectors);
  if (rows.stride == 0 || rows.stride % kRowFloats != 0)
    words::wrong("vectors", "have rows of a multiple of 16 floats");
  if (plan.noise != nullptr || plan.softmax)
    rows.outputs = matrix("outputs", outputs);
  else
    must_be_none("outputs", outputs, "without noise");
  if (plan.path_begin != nullptr)
    rows.nodes = matrix("nodes", nodes);
  else
    must_be_none("nodes", nodes, "without a tree");
  return rows;
}

std::vector<std::int32_t> as_ids(const char* name, py::handle object, index_t V, index_t least) {
  const View<const std::int32_t, 1> row = as_flat<const std::int32_t>(name, object);
  std::vector<std::int32_t> ids(row.data, row.data + row.shape[0]);
  // Not the array, which is the caller's and may change.
  check_ids(name, std::to_address(ids.begin()), row.shape[0], V, least);
  return ids;
}

// The source of the pieces: a text, or an array of word numbers.
Word2VecSource as_source(py::handle object, std::optional<index_t> V) {
  if (py::isinstance<TextObject>(object)) {
    const auto& text = as_object<TextObject>("source", "Word2VecText", object);
    if (V && text.words() != *V) words::wrong("source", "have as many words as the tables");
    return text.source();
  }
  const View<const std::int32_t, 1> ids = as_flat<const std::int32_t>("source", object);
  if (V) check_ids("source", ids.data, ids.shape[0], *V, kSentenceEnd);
  return source_of(ids.data, ids.shape[0], V.value_or(0));
}

py::tuple count(py::handle path, std::int64_t min_count, py::handle num_threads) {
  const std::string name = as_bytes("path", path);
  const int threads = as_num_threads(num_threads);
  FrequentWords found;
  without_gil([&] { found = frequent(count_words(TextPieces(name), threads), min_count); });
  return py::make_tuple(py::bytes(found.lines), bytes_of(found.counts), found.total,
                        found.distinct);
}

py::tuple train(py::handle tables, py::handle vectors, py::handle outputs, py::handle nodes,
                py::handle source, index_t begin, index_t end, std::pair<double, double> alpha,
                std::pair<double, double> progress, std::uint64_t seed, py::handle num_threads) {
  const Word2VecPlan& plan = as_tables(tables).plan();
  Extents extents;
  const Word2VecRows rows = as_rows(vectors, outputs, nodes, plan, extents);
  const Word2VecSource pieces = as_source(source, plan.V);
  const int threads = as_num_threads(num_threads);
  const LearningRate rate{alpha.first, alpha.second, progress.first, progress.second};
  Word2VecResult result;
  without_gil(
      [&] { result = word2vec_train(plan, rows, pieces, begin, end, rate, seed, threads); });
  return py::make_tuple(result.loss, result.predictions, result.words);
}

double block(py::handle tables, py::handle vectors, py::handle outputs, py::handle inputs,
             py::handle targets, py::handle wanted, double alpha) {
  const Word2VecPlan& plan = as_tables(tables).plan();
  Extents extents;
  const Word2VecRows rows = as_rows(vectors, outputs, py::none(), plan, extents);
  const std::vector<std::int32_t> in = as_ids("inputs", inputs, plan.V, 0);
  const std::vector<std::int32_t> out = as_ids("targets", targets, plan.V, 0);
  const std::string yes = as_bytes("wanted", wanted);
  if (yes.size() != out.size()) words::wrong("wanted", "have as many bytes as targets");
  if (in.empty() || out.empty()) words::wrong("inputs", "have at least one element, as targets");
  Word2VecBlock b{&in[0],
                  static_cast<index_t>(in.size()),
                  &out[0],
                  reinterpret_cast<const std::uint8_t*>(yes.c_str()),
                  static_cast<index_t>(out.size()),
                  static_cast<float>(alpha),
                  {}};
  return word2vec_block(plan, rows, b);
}

py::tuple path(py::handle tables, index_t word) {
  const Word2VecPlan& plan = as_tables(tables).plan();
  if (plan.path_begin == nullptr) words::wrong("tables", "have a tree");
  if (word < 0 || word >= plan.V) words::wrong("word", "be in 0..V-1");
  const index_t begin = plan.path_begin[word], end = plan.path_begin[word + 1];
  return py::make_tuple(
      bytes_of(std::vector<std::int32_t>(plan.path_node + begin, plan.path_node + end)),
      py::bytes(reinterpret_cast<const char*>(plan.path_code + begin),
                static_cast<std::size_t>(end - begin)));
}

}  // namespace

void bind_word2vec(py::module_& m) {
  using py::arg;
  using Place = py::detail::value_and_holder;
  const py::detail::is_new_style_constructor constructor;
  const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));
  py::class_<TextObject>(m, "Word2VecText", "A text file and the words looked for in it.", plain)
      .def(
          "__init__",
          [](Place& place, py::handle path, py::handle words) {
            hold(place,
                 std::make_unique<TextObject>(as_bytes("path", path), as_bytes("words", words)));
          },
          constructor, arg("path"), arg("words"));
  py::class_<TablesObject>(m, "Word2VecTables", "Subsampling, noise and tree of a vocabulary.",
                           plain)
      .def(
          "__init__",
          [](Place& place, py::handle counts, bool skip_gram, bool hierarchical, bool mean,
             bool shrink, int window, int negative, double noise_power, double sample) {
            const View<const index_t, 1> row = as_flat<const index_t>("counts", counts);
            const Word2VecOptions options{skip_gram, hierarchical, mean,        shrink,
                                          window,    negative,     noise_power, sample};
            hold(place, std::make_unique<TablesObject>(row.data, row.shape[0], options));
          },
          constructor, arg("counts"), arg("skip_gram"), arg("hierarchical"), arg("mean"),
          arg("shrink"), arg("window"), arg("negative"), arg("noise_power"), arg("sample"));
  m.def("word2vec_count", count, "Count the words of a text file.", arg("path"), arg("min_count"),
        arg("num_threads"));
  m.def(
      "word2vec_pieces", [](py::handle source) { return as_source(source, {}).pieces; },
      "How many pieces a text or word numbers have.", arg("source"));
  m.def("word2vec_train", train, "Teach pieces [begin, end).", arg("tables"), arg("vectors"),
        arg("outputs"), arg("nodes"), arg("source"), arg("begin"), arg("end"), arg("alpha"),
        arg("progress"), arg("seed"), arg("num_threads"));
  m.def("word2vec_block", block, "One step on given rows (for tests); its loss.", arg("tables"),
        arg("vectors"), arg("outputs"), arg("inputs"), arg("targets"), arg("wanted"), arg("alpha"));
  m.def("word2vec_path", path, "The inner nodes and branches to a word.", arg("tables"),
        arg("word"));
  m.def(
      "word2vec_pairs",
      [](py::handle tables, py::handle ids, std::uint64_t seed) {
        const Word2VecPlan& plan = as_tables(tables).plan();
        return bytes_of(word2vec_pairs(plan, as_ids("ids", ids, plan.V, kSentenceEnd), seed));
      },
      "The (target, word around) pairs that training would see.", arg("tables"), arg("ids"),
      arg("seed"));
  m.def(
      "word2vec_noise",
      [](py::handle tables, index_t n, std::uint64_t seed) {
        if (n < 0) words::wrong("n", "be at least 0");
        return bytes_of(word2vec_noise(as_tables(tables).plan(), n, seed));
      },
      "Words of the noise distribution.", arg("tables"), arg("n"), arg("seed"));
}

}  // namespace fastrnn::bindings
