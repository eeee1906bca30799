#include "tuner/cli/serve_config.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tuner/cli/job_source.h"
#include "yaml-cpp/yaml.h"

namespace tuner::cli {
namespace {

constexpr const char* kDefaultListen = "127.0.0.1:7070";

// One setting's text values by its key; a list in YAML, or a comma list in the environment, has several.
using Settings = std::map<std::string, std::vector<std::string>>;

const char* const kKeys[] = {"listen", "data", "storage", "tls_cert", "tls_key", "no_auth", "allow_insecure", "gpus",
                             "strategy_threads", "drain_timeout",
                             // These have a value for each executor: {process: 8}, or process=8.
                             "executor_slots", "executor_launches_per_second", "executor_launch_burst",
                             "executor_breaker_failures", "executor_breaker_cool_down", "executor_retry_initial",
                             "executor_retry_most"};

absl::StatusOr<Settings> ReadYaml(const std::string& file) {
  auto text = ReadWholeFile(file);
  if (!text.ok()) return text.status();
  Settings settings;
  try {
    const YAML::Node root = YAML::Load(*text);
    if (root.IsNull()) return settings;
    if (!root.IsMap())
      return absl::InvalidArgumentError(absl::StrCat(file, ": write settings as `key: value`, one per line."));
    for (const auto& entry : root) {
      const std::string key = entry.first.as<std::string>();
      if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys)) {
        return absl::InvalidArgumentError(absl::StrCat(file, ":", entry.first.Mark().line + 1,
                                                       ": there is no setting \"", key,
                                                       "\". There are: ", absl::StrJoin(kKeys, ", "), "."));
      }
      std::vector<std::string>& values = settings[key];
      if (entry.second.IsSequence()) {
        for (const auto& value : entry.second) values.push_back(value.as<std::string>());
      } else if (entry.second.IsMap()) {
        for (const auto& value : entry.second) {
          values.push_back(absl::StrCat(value.first.as<std::string>(), "=", value.second.as<std::string>()));
        }
      } else {
        values.push_back(entry.second.as<std::string>());
      }
    }
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": ", error.what()));
  }
  return settings;
}

// TUNER_LISTEN, TUNER_TLS_CERT, ... over the file's.
void OverlayEnvironment(const Environment& environment, Settings& settings) {
  for (const char* key : kKeys) {
    const std::string name = absl::StrCat("TUNER_", absl::AsciiStrToUpper(key));
    const std::string value = environment.variable(name).value_or("");
    if (!value.empty()) settings[key] = absl::StrSplit(value, ',', absl::SkipWhitespace());
  }
}

class Reader {
 public:
  explicit Reader(const Settings& settings) : settings_(settings) {}

  std::string Text(const std::string& key) const { return absl::StrJoin(List(key), ","); }
  std::vector<std::string> List(const std::string& key) const {
    const auto found = settings_.find(key);
    return found == settings_.end() ? std::vector<std::string>() : found->second;
  }
  bool Flag(const std::string& key) {
    bool value = false;
    const std::string text = Text(key);
    if (!text.empty() && !absl::SimpleAtob(text, &value)) Refuse(key, text, "true or false");
    return value;
  }
  template <typename Number>
  Number NumberOr(const std::string& key, Number otherwise) {
    double value = 0;
    const std::string text = Text(key);
    if (text.empty()) return otherwise;
    if (!absl::SimpleAtod(text, &value) || value < 0 || value > 1e6) Refuse(key, text, "a number");
    return static_cast<Number>(value);
  }
  std::vector<int> Numbers(const std::string& key) {
    std::vector<int> values;
    for (const std::string& text : List(key)) {
      int value = 0;
      if (!absl::SimpleAtoi(text, &value) || value < 0) Refuse(key, text, "a list of GPU indexes");
      values.push_back(value);
    }
    return values;
  }
  // Calls `set` with the executor and the value of each "process=8".
  void PerExecutor(const std::string& key, const std::vector<std::string>& texts,
                   const std::function<void(const std::string&, double)>& set) {
    for (const std::string& text : texts) {
      const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
      double value = 0;
      if (parts.first.empty() || !absl::SimpleAtod(parts.second, &value) || !(value >= 0 && value <= 1e6)) {
        Refuse(key, text, "an executor and a number, such as process=8");
      } else {
        set(parts.first, value);
      }
    }
  }
  const absl::Status& status() const { return status_; }

 private:
  void Refuse(const std::string& key, const std::string& text, const std::string& wanted) {
    status_.Update(absl::InvalidArgumentError(absl::StrCat(key, ": \"", text, "\" should be ", wanted, ".")));
  }
  const Settings& settings_;
  absl::Status status_;
};

// The settings of the executors; `slots`: those of the command line, in place of the others.
executors::ExecutorSettings ReadExecutorSettings(Reader& reader, const std::vector<std::string>& slots) {
  executors::ExecutorSettings settings;
  const auto read = [&](const char* key, const std::function<void(executors::ExecutorSetting&, double)>& set) {
    const bool is_slots = absl::string_view(key) == "executor_slots";
    reader.PerExecutor(key, is_slots && !slots.empty() ? slots : reader.List(key),
                       [&](const std::string& name, double value) { set(settings[name], value); });
  };
  read("executor_slots", [&](auto& setting, double value) {
    if (value >= 1) setting.slots = static_cast<int>(value);  // 0: no bound
  });
  read("executor_launches_per_second", [](auto& setting, double value) { setting.launches_per_second = value; });
  read("executor_launch_burst", [](auto& setting, double value) { setting.launch_burst = static_cast<int>(value); });
  read("executor_breaker_failures",
       [](auto& setting, double value) { setting.breaker_failures = static_cast<int>(value); });
  read("executor_breaker_cool_down",
       [](auto& setting, double value) { setting.breaker_cool_down = absl::Seconds(value); });
  read("executor_retry_initial", [](auto& setting, double value) { setting.retry_initial = absl::Seconds(value); });
  read("executor_retry_most", [](auto& setting, double value) { setting.retry_most = absl::Seconds(value); });
  return settings;
}

std::string Absolute(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

}  // namespace

absl::StatusOr<server::ServerConfig> ServerConfigOf(const Environment& environment, const ConnectOptions& connect,
                                                    const ServeOptions& options) {
  Settings settings;
  const std::string file = options.config.empty() ? environment.variable("TUNER_CONFIG").value_or("") : options.config;
  if (!file.empty()) {
    auto read = ReadYaml(file);
    if (!read.ok()) return read.status();
    settings = *std::move(read);
  }
  OverlayEnvironment(environment, settings);
  Reader reader(settings);
  const auto text_or = [&](const std::string& flag, const char* key) { return flag.empty() ? reader.Text(key) : flag; };

  server::ServerConfig config;
  const std::string data = text_or(connect.data_dir, "data");
  config.data_dir = data.empty() ? UserDataDir(environment) : Absolute(data);
  config.listen = options.listen.empty() ? reader.List("listen") : options.listen;
  if (config.listen.empty()) config.listen = {kDefaultListen};
  const std::string socket = SocketAddress(config.data_dir);
  if (!socket.empty() && std::find(config.listen.begin(), config.listen.end(), socket) == config.listen.end())
    config.listen.push_back(socket);
  config.storage_uri = text_or(options.storage, "storage");
  config.tls_cert = text_or(options.tls_cert, "tls_cert");
  config.tls_key = text_or(options.tls_key, "tls_key");
  config.no_auth = options.no_auth || reader.Flag("no_auth");
  config.allow_insecure = options.allow_insecure || reader.Flag("allow_insecure");
  config.gpus = options.gpus.empty() ? reader.Numbers("gpus") : options.gpus;
  config.strategy_threads =
      options.strategy_threads.value_or(reader.NumberOr("strategy_threads", config.strategy_threads));
  config.drain_timeout = absl::Seconds(
      options.drain_seconds.value_or(reader.NumberOr("drain_timeout", absl::ToDoubleSeconds(config.drain_timeout))));
  config.executor_settings = ReadExecutorSettings(reader, options.executor_slots);
  config.executor_kinds = environment.executor_kinds;
  config.spawner_fd = environment.spawner_fd;
  if (!reader.status().ok()) return reader.status();
  return config;
}

}  // namespace tuner::cli
