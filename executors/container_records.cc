#include "executors/container_records.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "executors/supervisor/records.h"
#include "executors/unique_fd.h"

namespace tuner::executors {
namespace {

using RecordJson = nlohmann::json;

constexpr char kAcceptedSuffix[] = ".container";
constexpr char kStartedSuffix[] = ".started";
constexpr char kEndedSuffix[] = ".ended";

std::string RecordName(const RunPaths& paths, const char* suffix) {
  return absl::StrCat(paths.claim.substr(paths.claim.rfind('/') + 1), suffix);
}

UniqueFd OpenClaims(const RunPaths& paths) {
  return UniqueFd(open(paths.claims.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

// Null: there is none, or it is not whole.
absl::StatusOr<RecordJson> ReadJson(const RunPaths& paths, const char* suffix) {
  const UniqueFd claims = OpenClaims(paths);
  const int open_error = errno;
  if (!claims && (open_error == ENOENT || open_error == ENOTDIR || open_error == ELOOP)) return RecordJson();
  std::optional<std::string> text;
  const std::string name = RecordName(paths, suffix);
  const int error = claims ? records::ReadRecord(claims.get(), name.c_str(), text) : open_error;
  if (error != 0 && error != ENOENT && error != ELOOP) {
    return absl::UnavailableError(absl::StrCat("cannot read ", paths.claims, "/", name, ": ", strerror(error)));
  }
  RecordJson json = text ? RecordJson::parse(*text, nullptr, false) : RecordJson();
  return json.is_object() ? json : RecordJson();
}

absl::Status WriteJson(const RunPaths& paths, const char* suffix, const RecordJson& json) {
  const UniqueFd claims = OpenClaims(paths);
  records::Files files;
  const std::string name = RecordName(paths, suffix);
  const int error = claims ? records::WriteDurably(files, claims.get(), name.c_str(),
                                                   json.dump(1, ' ', true, RecordJson::error_handler_t::replace))
                           : errno;
  return error == 0
             ? absl::OkStatus()
             : absl::UnavailableError(absl::StrCat("cannot write ", paths.claims, "/", name, ": ", strerror(error)));
}

int64_t ToMicros(absl::Time time) { return absl::ToUnixMicros(time); }

// The field, or `otherwise` if it is not there or of another type.
template <typename T>
T Field(const RecordJson& json, const char* name, T otherwise) {
  const auto it = json.find(name);
  if (it == json.end()) return otherwise;
  if constexpr (std::is_same_v<T, bool>) {
    return it->is_boolean() ? it->template get<bool>() : otherwise;
  } else if constexpr (std::is_integral_v<T>) {
    return it->is_number_integer() ? it->template get<T>() : otherwise;
  } else {
    return it->is_string() ? it->template get<std::string>() : otherwise;
  }
}

template <typename T>
std::vector<T> Items(const RecordJson& json, const char* name) {
  std::vector<T> items;
  const auto it = json.find(name);
  if (it == json.end() || !it->is_array()) return items;
  for (const RecordJson& item : *it) {
    if constexpr (std::is_integral_v<T>) {
      if (item.is_number_integer()) items.push_back(item.get<T>());
    } else if (item.is_string()) {
      items.push_back(item.get<std::string>());
    }
  }
  return items;
}

}  // namespace

absl::StatusOr<std::optional<ContainerClaim>> ReadContainerClaim(const RunPaths& paths) {
  const absl::StatusOr<RecordJson> json = ReadJson(paths, kAcceptedSuffix);
  if (!json.ok()) return json.status();
  if (json->is_null()) return std::nullopt;
  return ContainerClaim{Field<std::string>(*json, "socket", ""), Field<std::string>(*json, "name", ""),
                        Field(*json, "fresh_start", true), Items<int>(*json, "gpus")};
}

absl::StatusOr<std::optional<ContainerStart>> ReadContainerStart(const RunPaths& paths) {
  const absl::StatusOr<RecordJson> json = ReadJson(paths, kStartedSuffix);
  if (!json.ok()) return json.status();
  if (json->is_null()) return std::nullopt;
  return ContainerStart{Items<std::string>(*json, "ids"), Field<std::string>(*json, "boot_id", "")};
}

absl::StatusOr<std::optional<ContainerEnd>> ReadContainerEnd(const RunPaths& paths) {
  const absl::StatusOr<RecordJson> json = ReadJson(paths, kEndedSuffix);
  if (!json.ok()) return json.status();
  if (json->is_null()) return std::nullopt;
  ContainerEnd end;
  end.ended.outcome =
      static_cast<RunEnded::Outcome>(Field(*json, "outcome", static_cast<int64_t>(RunEnded::Outcome::kFailed)));
  end.ended.reason = Field<std::string>(*json, "reason", "");
  if (json->contains("exit_code")) end.ended.exit_code = Field<int32_t>(*json, "exit_code", 0);
  if (json->contains("signal")) end.ended.signal = Field<int32_t>(*json, "signal", 0);
  end.ended.time = absl::FromUnixMicros(Field<int64_t>(*json, "time_us", 0));
  if (json->contains("location")) {
    end.started = RunStarted{Field<std::string>(*json, "location", ""), paths.attempt,
                             absl::FromUnixMicros(Field<int64_t>(*json, "start_time_us", 0))};
  }
  end.kept = Field(*json, "kept", false);
  return end;
}

absl::Status WriteContainerClaim(const RunPaths& paths, const ContainerClaim& claim) {
  return WriteJson(
      paths, kAcceptedSuffix,
      {{"socket", claim.socket}, {"name", claim.name}, {"fresh_start", claim.fresh_start}, {"gpus", claim.gpus}});
}

absl::Status WriteContainerStart(const RunPaths& paths, const ContainerStart& start) {
  return WriteJson(paths, kStartedSuffix, {{"ids", start.ids}, {"boot_id", start.boot_id}});
}

absl::Status WriteContainerEnd(const RunPaths& paths, const ContainerEnd& end) {
  RecordJson json = {{"outcome", static_cast<int64_t>(end.ended.outcome)},
                     {"reason", end.ended.reason},
                     {"time_us", ToMicros(end.ended.time)},
                     {"kept", end.kept}};
  if (end.ended.exit_code) json["exit_code"] = *end.ended.exit_code;
  if (end.ended.signal) json["signal"] = *end.ended.signal;
  if (end.started) {
    json["location"] = end.started->location;
    json["start_time_us"] = ToMicros(end.started->time);
  }
  return WriteJson(paths, kEndedSuffix, json);
}

}  // namespace tuner::executors
