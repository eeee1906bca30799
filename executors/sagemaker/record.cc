#include "executors/sagemaker/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "executors/unique_fd.h"

namespace tuner::executors::sagemaker {
namespace {

using nlohmann::json;

std::string Folder(const RunPaths& paths) { return paths.job + "/sagemaker"; }
std::string FileName(const RunPaths& paths) { return paths.claim.substr(paths.claim.rfind('/') + 1); }

absl::Status RecordError(const RunPaths& paths, const char* what, int error) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", Folder(paths), "/", FileName(paths), ": ", strerror(error)));
}

json ToJson(const RunRecord& record) {
  json object = {
      {"instance_type", record.instance_type}, {"sent", record.sent}, {"began", record.began}, {"arn", record.arn}};
  if (!record.end) return object;
  const RunEnded& end = *record.end;
  json told = {{"outcome", static_cast<int>(end.outcome)},
               {"reason", end.reason},
               {"model_uri", end.model_uri},
               {"time_us", absl::ToUnixMicros(end.time)},
               {"training_s", absl::ToInt64Seconds(end.use.training_time)},
               {"billable_s", absl::ToInt64Seconds(end.use.billable_time)},
               {"interruptions", end.use.interruptions}};
  if (end.exit_code) told["exit_code"] = *end.exit_code;
  object["end"] = std::move(told);
  for (const core::Measurement& value : record.final_values)
    object["final_values"].push_back({{"metric", value.metric}, {"value", value.value}, {"step", value.step}});
  return object;
}

RunRecord FromJson(const json& object) {
  RunRecord record;
  record.instance_type = object.value("instance_type", 0);
  record.sent = object.value("sent", false);
  record.began = object.value("began", false);
  record.arn = object.value("arn", "");
  const auto told = object.find("end");
  if (told == object.end()) return record;
  RunEnded end;
  end.outcome = static_cast<RunEnded::Outcome>(told->value("outcome", 0));
  end.reason = told->value("reason", "");
  end.model_uri = told->value("model_uri", "");
  end.time = absl::FromUnixMicros(told->value("time_us", int64_t{0}));
  end.use.training_time = absl::Seconds(told->value("training_s", int64_t{0}));
  end.use.billable_time = absl::Seconds(told->value("billable_s", int64_t{0}));
  end.use.interruptions = told->value("interruptions", 0);
  if (told->contains("exit_code")) end.exit_code = (*told)["exit_code"].get<int32_t>();
  record.end = std::move(end);
  for (const json& value : object.value("final_values", json::array())) {
    core::Measurement measurement;
    measurement.metric = value.value("metric", "");
    measurement.value = value.value("value", 0.0);
    measurement.step = value.value("step", int64_t{0});
    record.final_values.push_back(std::move(measurement));
  }
  return record;
}

}  // namespace

absl::StatusOr<std::optional<RunRecord>> ReadRunRecord(const RunPaths& paths) {
  const UniqueFd folder(open(Folder(paths).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return std::nullopt;
  if (!folder) return RecordError(paths, "open the folder of", errno);
  std::optional<std::string> text;
  const int error = records::ReadRecord(folder.get(), FileName(paths).c_str(), text);
  if (error == ENOENT) return std::nullopt;
  if (error != 0) return RecordError(paths, "read", error);
  const json object = json::parse(text.value_or(""), nullptr, false);
  if (!object.is_object()) return RecordError(paths, "understand", EINVAL);
  try {
    return FromJson(object);
  } catch (const json::exception&) {
    return RecordError(paths, "understand", EINVAL);
  }
}

absl::Status WriteRunRecord(const RunPaths& paths, const RunRecord& record) {
  if (absl::Status made = MakeFolder(Folder(paths)); !made.ok()) return made;
  const UniqueFd folder(open(Folder(paths).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return RecordError(paths, "open the folder of", errno);
  records::Files files;
  const std::string text = ToJson(record).dump(-1, ' ', false, json::error_handler_t::replace);
  int error = records::WriteDurably(files, folder.get(), FileName(paths).c_str(), text);
  if (error == 0) error = records::SyncAbove(files, folder.get(), 1);
  return error == 0 ? absl::OkStatus() : RecordError(paths, "write", error);
}

}  // namespace tuner::executors::sagemaker
