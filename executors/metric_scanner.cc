#include "executors/metric_scanner.h"

#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "re2/re2.h"

namespace tuner::executors {

class CompiledMetrics {
 public:
  struct Metric {
    std::string name;
    std::unique_ptr<re2::RE2> regex;
    int value_group = 1;
    int step_group = 0;  // 0: counted
    int groups = 1;      // submatches to ask for, the whole match included
  };
  std::vector<Metric> metrics;
};

absl::StatusOr<std::shared_ptr<const CompiledMetrics>> CompileMetrics(
    const std::vector<core::MetricDefinition>& definitions) {
  auto compiled = std::make_shared<CompiledMetrics>();
  for (const core::MetricDefinition& definition : definitions) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(8 << 20);  // program and caches together; RE2 stays linear in time whatever the regex is
    CompiledMetrics::Metric metric;
    metric.name = definition.name;
    metric.regex = std::make_unique<re2::RE2>(definition.regex, options);
    if (!metric.regex->ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("metric '", definition.name, "': the regex is not valid: ", metric.regex->error()));
    }
    const auto& names = metric.regex->NamedCapturingGroups();
    if (auto it = names.find("value"); it != names.end()) metric.value_group = it->second;
    if (auto it = names.find("step"); it != names.end()) metric.step_group = it->second;
    if (metric.regex->NumberOfCapturingGroups() < metric.value_group || metric.step_group == metric.value_group) {
      return absl::InvalidArgumentError(
          absl::StrCat("metric '", definition.name,
                       "': the regex needs a group for the value: the first one, or one named 'value'"));
    }
    metric.groups = std::max(metric.value_group, metric.step_group) + 1;
    compiled->metrics.push_back(std::move(metric));
  }
  return compiled;
}

MetricScanner::MetricScanner(std::shared_ptr<const CompiledMetrics> metrics, core::ScanCursor cursor)
    : metrics_(std::move(metrics)), cursor_(std::move(cursor)) {
  streams_[kStdout].fed = cursor_.stdout_offset;
  streams_[kStderr].fed = cursor_.stderr_offset;
}

void MetricScanner::Feed(Stream stream, std::string_view bytes, std::vector<core::Measurement>& found) {
  StreamState& state = streams_[stream];
  while (!bytes.empty()) {
    const size_t end = bytes.find_first_of("\n\r");
    const std::string_view piece = bytes.substr(0, end);
    if (end == std::string_view::npos) {
      state.line.append(piece.substr(0, kMaxLineBytes - state.line.size()));
      state.fed += static_cast<int64_t>(piece.size());
      return;
    }
    if (state.line.empty()) {
      ScanLine(piece.substr(0, kMaxLineBytes), found);
    } else {
      state.line.append(piece.substr(0, kMaxLineBytes - state.line.size()));
      ScanLine(state.line, found);
      state.line.clear();
    }
    state.fed += static_cast<int64_t>(end) + 1;
    offset(stream) = state.fed;
    bytes.remove_prefix(end + 1);
  }
}

void MetricScanner::Finish(Stream stream, std::vector<core::Measurement>& found) {
  StreamState& state = streams_[stream];
  ScanLine(state.line, found);
  state.line.clear();
  state.line.shrink_to_fit();
  offset(stream) = state.fed;
}

void MetricScanner::ScanLine(std::string_view line, std::vector<core::Measurement>& found) {
  if (line.empty()) return;
  std::vector<re2::StringPiece> groups;
  for (const CompiledMetrics::Metric& metric : metrics_->metrics) {
    groups.assign(metric.groups, re2::StringPiece());
    const re2::StringPiece text(line.data(), line.size());
    if (!metric.regex->Match(text, 0, text.size(), re2::RE2::UNANCHORED, groups.data(), metric.groups)) continue;

    const re2::StringPiece& value = groups[metric.value_group];
    core::Measurement measurement;
    if (!absl::SimpleAtod(absl::string_view(value.data(), value.size()), &measurement.value)) {
      ++unparsable_;
      continue;
    }
    int64_t& last_step = cursor_.last_step[metric.name];
    const re2::StringPiece step = metric.step_group > 0 ? groups[metric.step_group] : re2::StringPiece();
    if (!absl::SimpleAtoi(absl::string_view(step.data(), step.size()), &measurement.step) || measurement.step < 0) {
      measurement.step = last_step < std::numeric_limits<int64_t>::max() ? last_step + 1 : last_step;
    }
    last_step = measurement.step;
    measurement.metric = metric.name;
    found.push_back(std::move(measurement));
  }
}

}  // namespace tuner::executors
