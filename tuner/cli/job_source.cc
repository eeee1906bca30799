#include "tuner/cli/job_source.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/job_file.h"

namespace tuner::cli {

namespace fs = std::filesystem;

absl::StatusOr<std::string> ReadWholeFile(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::error_code error;
  if (fs::is_directory(file, error))
    return absl::InvalidArgumentError(absl::StrCat(file, " is a folder; name a file in it."));
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return absl::NotFoundError(absl::StrCat("cannot read the file ", file, ". Does it exist, and may you read it?"));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

absl::StatusOr<JobSource> ReadJobSource(const std::string& file) {
  auto text = ReadWholeFile(file);
  if (!text.ok()) return text.status();
  auto spec = job_file::ParseJobFile(*text);
  if (!spec.ok()) return spec.status();
  JobSource source{*std::move(spec), "", *std::move(text)};
  std::error_code error;
  const fs::path path = fs::absolute(file, error);
  source.base_dir = path.parent_path().string();
  return source;
}

ProblemLine ParseProblemLine(absl::string_view line) {
  ProblemLine problem;
  absl::string_view rest = line;
  if (absl::ConsumePrefix(&rest, "line ")) {
    const size_t colon = rest.find(": ");
    if (colon != absl::string_view::npos && absl::SimpleAtoi(rest.substr(0, colon), &problem.line)) {
      rest.remove_prefix(colon + 2);
    } else {
      rest = line;
    }
  }
  const size_t colon = rest.find(": ");
  // Keys of maps may hold spaces, so a path is known by its first field as well.
  const absl::string_view prefix = rest.substr(0, colon);
  const std::string field(prefix.substr(0, prefix.find_first_of(".[ ")));
  const bool has_path =
      colon != absl::string_view::npos && (prefix.find(' ') == absl::string_view::npos ||
                                           v1::TuningJobSpec::descriptor()->FindFieldByName(field) != nullptr);
  problem.path = std::string(has_path ? rest.substr(0, colon) : "");
  problem.text = std::string(has_path ? rest.substr(colon + 2) : rest);
  return problem;
}

absl::Status WithLines(const absl::Status& status, const JobSource& source) {
  if (!absl::IsInvalidArgument(status)) return status;
  std::string message;
  for (absl::string_view line : absl::StrSplit(status.message(), '\n', absl::SkipWhitespace())) {
    const ProblemLine problem = ParseProblemLine(line);
    absl::StrAppend(&message, message.empty() ? "" : "\n");
    const auto number =
        problem.line > 0 || problem.path.empty() ? std::nullopt : job_file::LineOfField(source.text, problem.path);
    if (number) absl::StrAppend(&message, "line ", *number, ": ");
    absl::StrAppend(&message, line);
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace tuner::cli
