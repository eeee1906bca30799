#include "tuner/cli/gnuplot.h"

#include <exception>
#include <future>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "boost/process/args.hpp"
#include "boost/process/child.hpp"
#include "boost/process/io.hpp"
#include "boost/process/pipe.hpp"
#include "boost/process/search_path.hpp"

namespace tuner::cli {

namespace bp = boost::process;

std::string FindGnuplot() {
  try {
    return bp::search_path("gnuplot").string();
  } catch (const std::exception&) {
    return "";
  }
}

absl::Status RunGnuplot(const std::string& script) {
  const std::string program = FindGnuplot();
  if (program.empty()) {
    return absl::FailedPreconditionError(
        "pictures are drawn by gnuplot, which is not installed. Install it: sudo apt-get install gnuplot-nox");
  }
  try {
    bp::opstream in;
    bp::ipstream err;
    bp::child child(program, bp::args({"-"}), bp::std_in<in, bp::std_out> bp::null, bp::std_err > err);
    // Read beside writing, or both would wait for each other once the pipes are full.
    auto words =
        std::async(std::launch::async, [&err] { return std::string(std::istreambuf_iterator<char>(err), {}); });
    in << script;
    in.flush();
    in.pipe().close();
    child.wait();
    const std::string said = words.get();
    if (child.exit_code() != 0) return absl::InternalError(absl::StrCat("gnuplot refused to draw: ", said));
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(absl::StrCat("cannot run ", program, ": ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace tuner::cli
