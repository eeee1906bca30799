#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tuner/cli/app_tree.h"
#include "tuner/cli/environment.h"
#include "tuner/cli/errors.h"

#ifndef TUNER_VERSION
#error "TUNER_VERSION comes from the build"
#endif

namespace tuner::cli {
namespace {

constexpr const char* kDescription =
    "tuner: hyperparameter tuning, on your laptop or as a service.\n\n"
    "Write a job file (search space, objective, command to run), then:\n"
    "  tuner run job.yaml        tune here, no server needed; run it again to go on\n"
    "  tuner best JOB            the best parameters\n"
    "  tuner plot JOB            pictures of what happened";

constexpr const char* kFooter =
    "Where jobs are: with --endpoint or TUNER_ENDPOINT, on that server; else in the data folder (--data, TUNER_DATA, "
    ".tuner in this\n"
    "folder, or the user's data folder), through the server that runs on it, or without any.\n\n"
    "Exit codes: 0 done, 1 the job failed, 2 bad input, 3 server unreachable, 130 interrupted.\n"
    "`tuner VERB --help` explains a verb and shows examples. `tuner doctor` checks this machine.";

void AddGlobals(CLI::App& app, Choice& choice) {
  app.add_option("--endpoint", choice.connect.endpoint,
                 "Server: host:port, https://host:port or unix:/path [TUNER_ENDPOINT]")
      ->type_name("ADDRESS")
      ->group("Connection");
  app.add_option("--token", choice.connect.token, "The server's token [TUNER_TOKEN; else the one in the data folder]")
      ->type_name("TOKEN")
      ->group("Connection");
  app.add_option("--data", choice.connect.data_dir, "Data folder [TUNER_DATA]")->type_name("DIR")->group("Connection");
  app.add_option("--ca", choice.connect.ca_file, "PEM file with the authorities that vouch for the server")
      ->type_name("FILE")
      ->group("Connection");
  app.add_option("-o,--output", choice.output, "table, or json: one document in the API's JSON form")
      ->check(CLI::IsMember({"table", "json"}))
      ->type_name("FORMAT")
      ->group("Output");
  app.add_flag("-q,--quiet", choice.quiet, "Only the result, no progress and no remarks")->group("Output");
  app.add_flag("--no-color", choice.no_color, "No colours, also on a terminal [NO_COLOR]")->group("Output");
}

std::unique_ptr<CLI::App> MakeTree(Choice& choice) {
  auto app = std::make_unique<CLI::App>(kDescription, "tuner");
  app->footer(kFooter);
  app->get_formatter()->column_width(34);
  app->set_version_flag("--version", TUNER_VERSION)->group("Output");
  app->require_subcommand(1);
  AddGlobals(*app, choice);
  AddJobVerbs(*app, choice);
  AddTrialVerbs(*app, choice);
  AddServerVerbs(*app, choice);
  return app;
}

size_t TerminalWidth(const Environment& environment) {
  if (!environment.out_is_terminal) return 0;
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  int columns = 0;
  return absl::SimpleAtoi(environment.variable("COLUMNS").value_or(""), &columns) && columns > 0 ? columns : 80;
}

Style StyleOf(const Environment& environment, const Choice& choice) {
  Style style;
  style.json = choice.output == "json";
  style.quiet = choice.quiet;
  style.terminal = environment.out_is_terminal;
  const bool no_color = choice.no_color || !environment.variable("NO_COLOR").value_or("").empty() ||
                        environment.variable("TERM").value_or("") == "dumb";
  style.colour = environment.out_is_terminal && !no_color;
  style.width = TerminalWidth(environment);
  return style;
}

// What CLI11 found wrong, or the help that was asked for.
int Explain(const CLI::App& app, const CLI::ParseError& error, const Environment& environment) {
  std::ostringstream out, err;
  if (app.exit(error, out, err) == 0) {
    *environment.out << out.str();
    return kDone;
  }
  *environment.err << "tuner: " << error.what() << "\n"
                   << "  `tuner --help` lists the verbs, `tuner VERB --help` the options of one.\n";
  return kBadInput;
}

int Act(const Environment& environment, const Choice& choice) {
  Context context(environment, Printer(environment.out, environment.err, StyleOf(environment, choice)), choice.connect);
  const absl::StatusOr<int> code = choice.action(context);
  environment.out->flush();
  if (code.ok()) return *code;
  *environment.err << ErrorText(code.status());
  return ExitCodeOf(code.status());
}

}  // namespace

bool NeedsSpawner(const std::vector<std::string>& arguments) {
  // Both words as the verb or anywhere: forking it for nothing costs little, missing it would leave trials without a
  // parent.
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& argument) { return argument == "run" || argument == "serve"; });
}

int Main(const Environment& environment) {
  Choice choice;
  const std::unique_ptr<CLI::App> app = MakeTree(choice);
  std::vector<std::string> reversed(environment.arguments.rbegin(), environment.arguments.rend());
  try {
    app->parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return Explain(*app, error, environment);
  } catch (const std::exception& error) {
    *environment.err << "tuner: " << error.what() << "\n";
    return kBadInput;
  }
  return Act(environment, choice);
}

void Context::Close() {
  connection_.client.reset();
  connection_.server.reset();
  connection_.scratch.reset();
}

absl::StatusOr<Client*> Context::Open(Embed embed) {
  if (!connection_.client) {
    auto connection = Connect(environment_, connect_, embed);
    if (!connection.ok()) return connection.status();
    connection_ = *std::move(connection);
  }
  return connection_.client.get();
}

}  // namespace tuner::cli
