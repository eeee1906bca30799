// The verbs about servers and this machine: serve, token, strategies, doctor, completion.
#include "tuner/cli/app_tree.h"

namespace tuner::cli {
namespace {

constexpr const char* kServerGroup = "Server and machine";

void AddServe(CLI::App& app, Choice& choice) {
  std::shared_ptr<ServeOptions> options;
  CLI::App* serve =
      AddVerb(app, choice, kServerGroup, "serve", "Run a server",
              "Serves the jobs of its data folder over gRPC and runs their trials, until SIGTERM or Ctrl-C; running "
              "trials go on without it and are\n"
              "found again at the next start. On loopback it asks for the token in the data folder, which this program "
              "reads by itself; on another\n"
              "address it wants TLS and tokens. A unix socket asks for no token. Flags go over TUNER_* variables, "
              "those over the YAML file of --config,\n"
              "whose keys are the long flags with _ for -.\n\n"
              "Example:\n"
              "  tuner serve\n"
              "  tuner serve --listen 0.0.0.0:7070 --tls-cert server.pem --tls-key server.key --data /srv/tuner",
              &Serve, options);
  serve->add_option("--listen", options->listen, "host:port or unix:/path; repeatable [TUNER_LISTEN, 127.0.0.1:7070]")
      ->type_name("ADDRESS");
  serve->add_option("--config", options->config, "YAML file with the same settings [TUNER_CONFIG]")->type_name("FILE");
  serve->add_option("--storage", options->storage, "Storage by URI [sqlite:<data>/tuner.db]")->type_name("URI");
  serve->add_option("--tls-cert", options->tls_cert, "Certificate chain")->type_name("PEM");
  serve->add_option("--tls-key", options->tls_key, "Private key")->type_name("PEM");
  serve->add_flag("--no-auth", options->no_auth, "Ask for no token on loopback");
  serve->add_flag("--allow-insecure", options->allow_insecure,
                  "Listen on other addresses without TLS; anybody on the path can read the tokens");
  serve->add_option("--gpus", options->gpus, "GPU indexes that trials may be given: 0,1")
      ->delimiter(',')
      ->type_name("LIST");
  serve
      ->add_option("--executor-slots", options->executor_slots,
                   "Trials of all jobs together that an executor runs at a time: process=8")
      ->delimiter(',')
      ->type_name("NAME=N");
  serve->add_option("--strategy-threads", options->strategy_threads, "Threads that compute suggestions [2]")
      ->type_name("N")
      ->check(CLI::Range(1, 256));
  serve->add_option("--drain-timeout", options->drain_seconds, "Longest wait for calls under way at the end [10]")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
}

void AddToken(CLI::App& app, Choice& choice) {
  std::shared_ptr<TokenOptions> options;
  CLI::App* token = AddVerb(app, choice, kServerGroup, "token", "Make, list and revoke the tokens of a data folder",
                            "Each user of a server gets a token of their own. They are kept in the server's data "
                            "folder (--data), so run this there; a running\n"
                            "server sees the change at once. A token is shown once, when it is made.\n\n"
                            "Example:\n"
                            "  tuner token create alice --data /srv/tuner\n"
                            "  tuner token list --data /srv/tuner\n"
                            "  tuner token revoke alice --data /srv/tuner",
                            &Token, options);
  token->add_option("action", options->action, "create, list or revoke")
      ->required()
      ->check(CLI::IsMember({"create", "list", "revoke"}))
      ->type_name("ACTION");
  token->add_option("name", options->name, "Whose token")->type_name("NAME");
}

void AddStrategies(CLI::App& app, Choice& choice) {
  CLI::App* strategies =
      app.add_subcommand("strategies", "What the server has: strategies, executors, stopping rules, each option");
  strategies->group(kServerGroup)
      ->fallthrough()
      ->footer(
          "Lists strategies, executors and early stopping rules with every option: type, default, bounds. What the API "
          "names but this version does\n"
          "not have says so.\n\n"
          "Example:\n"
          "  tuner strategies\n"
          "  tuner strategies --output json");
  strategies->callback([&choice] { choice.action = [](Context& context) { return ListComponents(context); }; });
}

void AddDoctor(CLI::App& app, Choice& choice) {
  std::shared_ptr<DoctorOptions> options;
  AddVerb(app, choice, "Start here", "doctor", "Check this machine: which executors work, and what is missing",
          "Looks at executors, data folder, disk, memory, cores, GPUs, plotting and the server's port, and says what "
          "to do about what is missing. Ends\n"
          "with 0 unless no trial could run here at all.\n\n"
          "Example:\n"
          "  tuner doctor",
          &Doctor, options)
      ->add_option("--listen", options->listen, "Address to look at")
      ->capture_default_str()
      ->type_name("ADDRESS");
}

void AddCompletion(CLI::App& app, Choice& choice) {
  CLI::App* completion = app.add_subcommand("completion", "Print the completion script for bash or zsh");
  completion->group(kServerGroup)
      ->fallthrough()
      ->footer(
          "Verbs, options and job names complete with Tab once the shell has read the script.\n\n"
          "Example:\n"
          "  tuner completion bash > ~/.local/share/bash-completion/completions/tuner\n"
          "  tuner completion zsh > \"${fpath[1]}/_tuner\"");
  auto shell = std::make_shared<std::string>();
  completion->add_option("shell", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}))
      ->type_name("SHELL");
  completion->callback([&app, &choice, shell] {
    choice.action = [&app, shell](Context& context) -> absl::StatusOr<int> {
      context.printer().out() << CompletionScript(app, *shell);
      return 0;
    };
  });
}

}  // namespace

void AddServerVerbs(CLI::App& app, Choice& choice) {
  AddServe(app, choice);
  AddStrategies(app, choice);
  AddDoctor(app, choice);
  AddToken(app, choice);
  AddCompletion(app, choice);
}

}  // namespace tuner::cli
