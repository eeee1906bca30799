// token: who may call the server of a data folder.
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/struct.pb.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"
#include "tuner/server/tokens.h"

namespace tuner::cli {
namespace {

std::string Rfc3339(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

absl::StatusOr<int> List(Context& context, const std::string& data_dir) {
  const auto tokens = server::ListTokens(data_dir);
  if (!tokens.ok()) return tokens.status();
  if (context.json()) {
    google::protobuf::Struct document;
    auto& list = *(*document.mutable_fields())["tokens"].mutable_list_value();
    for (const server::NamedToken& token : *tokens) {
      auto& fields = *list.add_values()->mutable_struct_value()->mutable_fields();
      fields["name"].set_string_value(token.name);
      fields["create_time"].set_string_value(Rfc3339(token.create_time));
    }
    context.printer().PrintJson(document);
    return kDone;
  }
  Table table({{"NAME"}, {"CREATED"}});
  for (const server::NamedToken& token : *tokens)
    table.Add({token.name, absl::FormatTime("%Y-%m-%d %H:%M:%S", token.create_time, absl::LocalTimeZone())});
  if (table.empty()) {
    context.printer().Note(absl::StrCat("No tokens in ", data_dir, " beside the folder's own one."));
  } else {
    context.printer().Print(table);
  }
  return kDone;
}

absl::StatusOr<int> Create(Context& context, const std::string& data_dir, const std::string& name) {
  const auto token = server::CreateToken(data_dir, name, absl::Now());
  if (!token.ok()) return token.status();
  if (context.json()) {
    google::protobuf::Struct document;
    (*document.mutable_fields())["name"].set_string_value(name);
    (*document.mutable_fields())["token"].set_string_value(*token);
    context.printer().PrintJson(document);
    return kDone;
  }
  context.printer().out() << *token << "\n";
  context.printer().Note(
      absl::StrCat("This is the only time it is shown. ", name, " gives it as TUNER_TOKEN, or with --token."));
  return kDone;
}

}  // namespace

absl::StatusOr<int> Token(Context& context, const TokenOptions& options) {
  const std::string data_dir = DataDir(context.environment(), context.connect_options().data_dir, false);
  if (options.action == "list") return List(context, data_dir);
  if (options.name.empty())
    return absl::InvalidArgumentError(absl::StrCat("whose token? Write `tuner token ", options.action, " NAME`."));
  if (options.action == "create") return Create(context, data_dir, options.name);
  if (auto status = server::RevokeToken(data_dir, options.name); !status.ok()) return status;
  context.printer().out() << "Revoked the token of " << options.name << ".\n";
  return kDone;
}

}  // namespace tuner::cli
