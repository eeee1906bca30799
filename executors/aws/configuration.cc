#include "executors/aws/configuration.h"

#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace tuner::executors::aws {
namespace {

using Sections = absl::btree_map<std::string, ProfileSection>;

struct File {
  Sections profiles;
  Sections services;
};

// "profile a", `profile "a b"` -> {"profile", "a b"}; "a" -> {"", "a"}.
std::pair<std::string, std::string> SectionName(absl::string_view header) {
  header = absl::StripAsciiWhitespace(header);
  const size_t space = header.find_first_of(" \t");
  std::string kind;
  if (space != absl::string_view::npos) {
    kind = std::string(header.substr(0, space));
    header = absl::StripAsciiWhitespace(header.substr(space));
  }
  if (header.size() >= 2 && (header.front() == '"' || header.front() == '\'') && header.back() == header.front()) {
    header = header.substr(1, header.size() - 2);
  }
  return {kind, std::string(header)};
}

// Reads one file line by line.
class Parser {
 public:
  Parser(std::string path, bool is_credentials) : path_(std::move(path)), is_credentials_(is_credentials) {}

  absl::StatusOr<File> Parse() {
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) {
      ++line_number_;
      if (absl::Status status = Take(line); !status.ok()) return status;
    }
    return std::move(file_);
  }

 private:
  absl::Status Wrong(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", line_number_, ": ", what));
  }

  absl::Status Take(absl::string_view line) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || text.front() == '#' || text.front() == ';') return absl::OkStatus();
    if (text.front() == '[' && line.front() == '[') return TakeHeader(text);
    if (section_ == nullptr) {
      return in_section_ ? absl::OkStatus() : Wrong("a key stands before the first [section]");
    }
    const size_t equals = text.find('=');
    const bool nested = absl::ascii_isspace(static_cast<unsigned char>(line.front())) && !key_.empty();
    if (equals == absl::string_view::npos) {
      if (!nested) return Wrong("is neither [section] nor key = value");
      absl::StrAppend(&(*section_)[key_], " ", text);  // a value over several lines
      return absl::OkStatus();
    }
    const std::string key = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text.substr(0, equals)));
    const std::string value(absl::StripAsciiWhitespace(text.substr(equals + 1)));
    if (key.empty()) return Wrong("nothing stands before =");
    if (nested) {
      (*section_)[absl::StrCat(key_, ".", key)] = value;
    } else {
      key_ = key;
      (*section_)[key] = value;
    }
    return absl::OkStatus();
  }

  absl::Status TakeHeader(absl::string_view text) {
    const size_t end = text.find(']');
    if (end == absl::string_view::npos) return Wrong("the section's name has no ]");
    const auto [kind, name] = SectionName(text.substr(1, end - 1));
    key_.clear();
    in_section_ = true;
    section_ = nullptr;  // of another kind: skipped
    if (is_credentials_) {
      section_ = &file_.profiles[kind.empty() ? name : absl::StrCat(kind, " ", name)];
    } else if (kind == "profile") {
      // [profile default] stands instead of [default].
      if (name == "default" && !std::exchange(has_prefixed_default_, true)) file_.profiles.erase(name);
      section_ = &file_.profiles[name];
    } else if (kind.empty() && name == "default" && !has_prefixed_default_) {
      section_ = &file_.profiles[name];
    } else if (kind == "services") {
      section_ = &file_.services[name];
    }
    return absl::OkStatus();
  }

  const std::string path_;
  const bool is_credentials_;
  int line_number_ = 0;
  File file_;
  bool in_section_ = false;
  bool has_prefixed_default_ = false;
  ProfileSection* section_ = nullptr;
  std::string key_;
};

std::string PathOf(const Configuration& configuration, const char* variable, absl::string_view name) {
  std::string path = configuration.Variable(variable);
  if (path.empty()) path = absl::StrCat("~/.aws/", name);
  if (absl::StartsWith(path, "~/")) {
    const std::string home = configuration.Variable("HOME");
    if (home.empty()) return "";
    path = absl::StrCat(home, path.substr(1));
  }
  return path;
}

bool IsTrue(absl::string_view text) { return absl::EqualsIgnoreCase(text, "true"); }

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

absl::StatusOr<Configuration> Configuration::Load(Environment environment, std::string profile) {
  Configuration configuration;
  configuration.environment_ = std::move(environment);
  configuration.asked_for_ = profile;
  bool asked_for = true;
  if (profile.empty()) profile = configuration.Variable("AWS_PROFILE");
  if (profile.empty()) profile = configuration.Variable("AWS_DEFAULT_PROFILE");
  if (profile.empty()) {
    profile = "default";
    asked_for = false;
  }
  configuration.profile_ = profile;
  const std::string config_path = PathOf(configuration, "AWS_CONFIG_FILE", "config");
  const std::string credentials_path = PathOf(configuration, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  absl::StatusOr<File> config = Parser(config_path, false).Parse();
  if (!config.ok()) return config.status();
  const absl::StatusOr<File> credentials = Parser(credentials_path, true).Parse();
  if (!credentials.ok()) return credentials.status();
  for (const auto& [name, section] : credentials->profiles) {
    for (const auto& [key, value] : section) config->profiles[name][key] = value;
    config->profiles[name];  // also if it has no key
  }
  configuration.profiles_ = std::move(config->profiles);
  configuration.services_ = std::move(config->services);
  if (asked_for && configuration.Profile(profile) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("the AWS profile \"", profile, "\" is neither in ", config_path,
                                                   " nor in ", credentials_path, ": correct AWS_PROFILE or add it"));
  }
  return configuration;
}

std::string Configuration::Variable(const std::string& name) const { return environment_(name).value_or(""); }

const ProfileSection* Configuration::Profile(absl::string_view name) const {
  const auto found = profiles_.find(std::string(name));
  return found == profiles_.end() ? nullptr : &found->second;
}

std::string Configuration::Setting(const std::string& key) const {
  const ProfileSection* section = Profile(profile_);
  if (section == nullptr) return "";
  const auto found = section->find(key);
  return found == section->end() ? "" : found->second;
}

std::string Configuration::Region() const {
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (std::string region = Variable(variable); !region.empty()) return region;
  }
  return Setting("region");
}

std::string Configuration::EndpointOverride(absl::string_view service) const {
  const std::string ignored = Variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  if (IsTrue(ignored) || (ignored.empty() && IsTrue(Setting("ignore_configured_endpoint_urls")))) return "";
  // The SDKs' name of the service, and the one that it is known by elsewhere.
  const std::string id = service == "logs" ? "cloudwatch_logs" : std::string(service);
  for (const std::string& name : {id, std::string(service)}) {
    std::string variable = absl::StrCat("AWS_ENDPOINT_URL_", absl::AsciiStrToUpper(name));
    if (std::string url = Variable(variable); !url.empty()) return url;
  }
  if (std::string url = Variable("AWS_ENDPOINT_URL"); !url.empty()) return url;
  if (const auto section = services_.find(Setting("services")); section != services_.end()) {
    const auto url = section->second.find(absl::StrCat(id, ".endpoint_url"));
    if (url != section->second.end() && !url->second.empty()) return url->second;
  }
  return Setting("endpoint_url");
}

std::string AwsEndpoint(absl::string_view service, absl::string_view region) {
  absl::string_view suffix = "amazonaws.com";
  for (const auto& [prefix, domain] : {std::pair<absl::string_view, absl::string_view>{"cn-", "amazonaws.com.cn"},
                                       {"us-iso-", "c2s.ic.gov"},
                                       {"us-isob-", "sc2s.sgov.gov"},
                                       {"us-isof-", "csp.hci.ic.gov"},
                                       {"eu-isoe-", "cloud.adc-e.uk"},
                                       {"eusc-", "amazonaws.eu"}}) {
    if (absl::StartsWith(region, prefix)) suffix = domain;
  }
  return absl::StrCat("https://", service == "sagemaker" ? "api.sagemaker" : service, ".", region, ".", suffix);
}

}  // namespace tuner::executors::aws
