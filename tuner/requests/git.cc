#include "tuner/requests/git.h"

#include <boost/asio/io_context.hpp>
#include <boost/process/args.hpp>
#include <boost/process/async.hpp>
#include <boost/process/child.hpp>
#include <boost/process/io.hpp>
#include <boost/process/search_path.hpp>
#include <boost/process/start_dir.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace tuner::requests {
namespace {

namespace bp = boost::process;

// What git prints, or nullopt if it fails or is not done by `deadline`.
std::optional<std::string> RunGit(const std::string& folder, const std::vector<std::string>& arguments,
                                  std::chrono::steady_clock::time_point deadline) {
  try {
    const auto program = bp::search_path("git");
    if (program.empty()) return std::nullopt;
    boost::asio::io_context context;
    std::future<std::string> output;
    std::error_code error;
    bp::child child(program, bp::args(arguments), bp::start_dir(folder), bp::std_in<bp::null, bp::std_out> output,
                    bp::std_err > bp::null, error, context);
    if (error) return std::nullopt;
    context.run_until(deadline);
    if (!context.stopped()) {
      child.terminate(error);
      child.wait(error);
      return std::nullopt;
    }
    child.wait(error);
    if (error || child.exit_code() != 0) return std::nullopt;
    return output.get();
  } catch (const std::exception&) {  // Boost.Process and the future report by exceptions
    return std::nullopt;
  }
}

}  // namespace

std::string GitRevision(const std::string& folder, absl::Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(timeout);
  const std::optional<std::string> head = RunGit(folder, {"rev-parse", "--verify", "HEAD"}, deadline);
  if (!head) return "";
  const std::optional<std::string> changes =
      RunGit(folder, {"status", "--porcelain", "--untracked-files=no"}, deadline);
  if (!changes) return "";
  return absl::StrCat(absl::StripAsciiWhitespace(*head), changes->empty() ? "" : "-dirty");
}

}  // namespace tuner::requests
