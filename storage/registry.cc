#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "storage/memory_storage.h"
#include "storage/sqlite_storage.h"
#include "storage/storage.h"

namespace tuner::storage {
namespace {

using Opened = absl::StatusOr<std::unique_ptr<Storage>>;

Opened OpenMemory(absl::string_view rest) {
  if (!rest.empty()) return absl::InvalidArgumentError("memory: takes no path");
  return MakeMemoryStorage();
}

// path, or path?mode=ro.
Opened OpenSqlite(absl::string_view rest) {
  SqliteOptions options;
  options.read_only = absl::ConsumeSuffix(&rest, "?mode=ro");
  if (rest.empty()) return absl::InvalidArgumentError("name the file: sqlite:/path/to/file");
  return OpenSqliteStorage(std::string(rest), options);
}

struct Scheme {
  absl::string_view name;
  Opened (*open)(absl::string_view rest);
};
constexpr Scheme kSchemes[] = {
    {"memory:", &OpenMemory},
    {"sqlite:", &OpenSqlite},
};

}  // namespace

absl::StatusOr<std::unique_ptr<Storage>> OpenStorage(const std::string& uri) {
  for (const Scheme& scheme : kSchemes) {
    absl::string_view rest = uri;
    if (absl::ConsumePrefix(&rest, scheme.name)) return scheme.open(rest);
  }
  std::vector<absl::string_view> names;
  for (const Scheme& scheme : kSchemes) names.push_back(scheme.name);
  return absl::InvalidArgumentError(absl::StrCat("a store is named by one of ", absl::StrJoin(names, ", "),
                                                 " and what follows it, not by \"", uri, "\""));
}

}  // namespace tuner::storage
