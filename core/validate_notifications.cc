#include "core/validate_notifications.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/validate_text.h"

namespace tuner::core {
namespace {

constexpr size_t kMostNotifications = 10;
constexpr size_t kMostUrlCharacters = 2'000;
constexpr size_t kMostCommandWords = 100;

std::string UrlProblem(const std::string& url) {
  if (std::string problem = TextProblem(url, 1, kMostUrlCharacters); !problem.empty()) return problem;
  for (absl::string_view scheme : {"http://", "https://"}) {
    if (!absl::StartsWithIgnoreCase(url, scheme)) continue;
    const bool has_host = url.size() > scheme.size() && !absl::StrContains("/?#:", url[scheme.size()]);
    if (!has_host) return absl::StrCat("\"", url, "\" names no host; give ", scheme, "HOST/PATH");
    return absl::StrContains(url, ' ') ? absl::StrCat("\"", url, "\" holds a space; write it as %20") : "";
  }
  return absl::StrCat("\"", url, "\" begins with neither http:// nor https://; give the whole address");
}

std::string VariableProblem(const std::string& name) {
  const bool fits =
      !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
  if (fits) return "";
  return "is not the name of an environment variable; give letters, digits and _, not beginning with a digit (the key "
         "itself stays out of the specification)";
}

std::string CommandProblem(const std::vector<std::string>& command) {
  if (command.empty() || command.front().empty()) return "is empty; give a program and its arguments";
  if (command.size() > kMostCommandWords) {
    return absl::StrCat("has ", command.size(), " entries; give at most ", kMostCommandWords);
  }
  for (const std::string& word : command) {
    if (absl::StrContains(word, '\0')) return "holds a NUL character, which no program can be given; drop it";
  }
  return "";
}

}  // namespace

Problems ValidateNotifications(const JobSpec& spec) {
  Problems problems;
  const auto add = [&problems](std::string path, std::string text) {
    if (!text.empty()) problems.push_back({std::move(path), std::move(text)});
  };
  if (spec.notifications.size() > kMostNotifications) {
    add("notifications",
        absl::StrCat("has ", spec.notifications.size(), " entries; give at most ", kMostNotifications));
  }
  for (size_t i = 0; i < spec.notifications.size(); ++i) {
    const NotificationRule& rule = spec.notifications[i];
    const std::string path = absl::StrCat("notifications[", i, "]");
    if (const auto* webhook = std::get_if<Webhook>(&rule.target)) {
      add(path + ".webhook.url", UrlProblem(webhook->url));
      if (!webhook->hmac_key_env.empty()) add(path + ".webhook.hmac_key_env", VariableProblem(webhook->hmac_key_env));
    } else if (const auto* command = std::get_if<NotificationCommand>(&rule.target)) {
      add(path + ".command.command", CommandProblem(command->command));
    }
    if (rule.events.empty()) add(path + ".events", "is empty; give JOB_ENDED, TRIAL_FAILED or HEALTH_RULE");
    std::set<NotificationEvent> seen;
    for (size_t n = 0; n < rule.events.size(); ++n) {
      const std::string event_path = absl::StrCat(path, ".events[", n, "]");
      if (rule.events[n] == NotificationEvent::kUnspecified) {
        add(event_path, "is no event; give JOB_ENDED, TRIAL_FAILED or HEALTH_RULE");
      } else if (!seen.insert(rule.events[n]).second) {
        add(event_path, "is given twice; drop one");
      }
    }
  }
  return problems;
}

}  // namespace tuner::core
