// plot: pictures of a job, as files.
#include <filesystem>
#include <functional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "tuner/cli/definition_view.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/gnuplot.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/pages.h"
#include "tuner/cli/plot_model.h"
#include "tuner/cli/plot_script.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

namespace fs = std::filesystem;

struct Kind {
  const char* name;
  std::string (*script)(const PlotData&, PlotSize);
};
constexpr Kind kKinds[] = {{"history", &HistoryScript}, {"parallel", &ParallelScript},
                           {"slice", &SliceScript},     {"curves", &CurvesScript},
                           {"front", &FrontScript},     {"importance", &ImportanceScript},
                           {"contour", &ContourScript}, {"loo", &LeaveOneOutScript}};

bool IsOfModel(std::string_view kind) { return kind == "importance" || kind == "contour" || kind == "loo"; }

bool IsWanted(const Kind& kind, const PlotOptions& options, const PlotData& data) {
  if (options.kind != "all") return options.kind == kind.name;
  if (IsOfModel(kind.name)) return data.model.has_value();
  return std::string_view(kind.name) != "front" || !data.objectives.empty();
}

// What the service says of the job's model: importances first, as they say of which two parameters the contour is.
absl::StatusOr<PlotModel> FetchModel(Client& client, const v1::TuningJob& job, const PlotOptions& options) {
  v1::ExplainTuningJobRequest request;
  request.set_name(job.name());
  request.set_definition(options.definition);
  request.set_leave_one_out(true);
  auto explained = client.Call(request);
  if (!explained.ok()) return explained.status();
  if (options.kind != "all" && options.kind != "contour") return MakePlotModel(*explained, std::nullopt);
  auto grid = ChooseGrid(job, *explained, options.x, options.y);
  if (!grid.ok()) {
    if (options.kind == "contour") return grid.status();
    return MakePlotModel(*explained, std::nullopt);
  }
  AddGridPoints(job, *grid, request);
  explained = client.Call(request);
  if (!explained.ok()) return explained.status();
  return MakePlotModel(*explained, *std::move(grid));
}

std::string FormatOf(const PlotOptions& options) {
  if (!options.format.empty()) return options.format;
  return absl::EndsWithIgnoreCase(options.out, ".png") ? "png" : "svg";
}

// Where a picture goes: the file that was named, or JOB-KIND.svg in the folder.
absl::StatusOr<fs::path> PathOf(const PlotOptions& options, const std::string& job, const std::string& kind) {
  const fs::path out = options.out;
  const std::string ending = absl::StrCat(".", FormatOf(options));
  if (options.kind != "all" && absl::EndsWithIgnoreCase(options.out, ending)) return out;
  if (absl::EndsWithIgnoreCase(options.out, ".svg") || absl::EndsWithIgnoreCase(options.out, ".png")) {
    return absl::InvalidArgumentError(options.kind == "all"
                                          ? "--out names one file, but several are drawn. Name a folder, or one --kind."
                                          : "the ending of --out is not that of --format.");
  }
  std::error_code error;
  if (!out.empty()) fs::create_directories(out, error);
  if (error)
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make the folder ", options.out, ": ", error.message(), "."));
  return out / absl::StrCat(job, "-", kind, ending);
}

// Draws beside the target and puts it there when it is whole.
absl::Status Draw(const Kind& kind, const PlotData& data, const PlotOptions& options, const fs::path& path) {
  const std::string unfinished = path.string() + ".unfinished";
  const PlotSize size = SizeOf(kind.name, data, {options.width, options.height});
  std::error_code error;
  if (auto status = RunGnuplot(
          absl::StrCat(Preamble(FormatOf(options), unfinished, size), kind.script(data, size), "unset output\n"));
      !status.ok()) {
    fs::remove(unfinished, error);
    return status;
  }
  fs::rename(unfinished, path, error);
  if (error)
    return absl::PermissionDeniedError(absl::StrCat("cannot write ", path.string(), ": ", error.message(), "."));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> PlotJob(Context& context, const PlotOptions& options) {
  const auto opened = OpenJob(context, options.job);
  if (!opened.ok()) return opened.status();
  Client* const client = opened->client;
  const auto chosen = ChooseDefinition(opened->job, options.definition);
  if (!chosen.ok()) return chosen.status();
  const v1::TuningJob& job = *chosen;
  v1::ListTrialsRequest request;
  request.set_parent(job.name());
  if (!options.definition.empty()) request.set_filter(absl::StrCat("definition = \"", options.definition, "\""));
  request.set_include_measurements(options.kind == "all" || options.kind == "curves");
  const auto trials = FetchTrials(*client, request, 0);
  if (!trials.ok()) return trials.status();
  PlotData data = MakePlotData(job, *trials);
  if (!options.definition.empty()) absl::StrAppend(&data.job, "-", options.definition);
  if (options.kind == "all" || IsOfModel(options.kind)) {
    auto model = FetchModel(*client, job, options);
    if (model.ok()) {
      data.model = *std::move(model);
    } else if (IsOfModel(options.kind)) {
      return model.status();
    }
  }
  google::protobuf::Struct document;
  auto& files = *(*document.mutable_fields())["files"].mutable_list_value();
  for (const Kind& kind : kKinds) {
    if (!IsWanted(kind, options, data)) continue;
    const auto path = PathOf(options, data.job, kind.name);
    if (!path.ok()) return path.status();
    if (auto status = Draw(kind, data, options, *path); !status.ok()) return status;
    files.add_values()->set_string_value(path->string());
    if (!context.json()) context.printer().out() << path->string() << "\n";
  }
  if (context.json()) context.printer().PrintJson(document);
  return kDone;
}

}  // namespace tuner::cli
