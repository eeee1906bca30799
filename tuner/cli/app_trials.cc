// The verbs about trials: trials, best, logs, export, import, plot, and those of a worker: suggest, report, complete.
#include "tuner/cli/app_tree.h"

namespace tuner::cli {
namespace {

constexpr const char* kTrialsGroup = "Trials";
constexpr const char* kWorkers = "Workers (ask and tell)";

void AddDefinition(CLI::App& verb, std::string& name, const char* what) {
  verb.add_option("--definition", name, what)->type_name("NAME");
}

void AddTrials(CLI::App& app, Choice& choice) {
  std::shared_ptr<TrialsOptions> options;
  CLI::App* trials = AddVerb(
      app, choice, kTrialsGroup, "trials", "List a job's trials with their parameters and results",
      "One line per trial. --filter takes comparisons of number, state, origin, definition, objective, best_objective, "
      "parameters.NAME,\n"
      "metrics.NAME, create_time and end_time, joined by AND, OR, NOT; names with odd characters stand in "
      "double quotes. A job of \"-\"\n"
      "means all jobs. JOB/NUMBER shows that trial in full: attempts, measurements, where its files are.\n\n"
      "Example:\n"
      "  tuner trials xgboost-cancer --order-by objective --limit 10\n"
      "  tuner trials xgboost-cancer --filter 'state = COMPLETED AND parameters.max_depth >= 4'\n"
      "  tuner trials xgboost-cancer/12",
      &ListTrials, options);
  trials->add_option("job", options->job, "Job, or trial as JOB/NUMBER, or - for all jobs")
      ->required()
      ->type_name("JOB[/NUMBER]");
  trials->add_option("--filter", options->filter, "Only trials for which this holds")->type_name("EXPRESSION");
  trials->add_option("--state", options->state, "Only trials in this state")
      ->type_name("STATE")
      ->transform(CLI::IsMember({"QUEUED", "PENDING", "RUNNING", "PAUSED", "STOPPING", "COMPLETED", "EARLY_STOPPED",
                                 "STOPPED", "FAILED", "INFEASIBLE"},
                                CLI::ignore_case));
  AddDefinition(*trials, options->definition, "Only trials of this training definition");
  trials
      ->add_option("--order-by,--order", options->order_by,
                   "number, objective, best_objective, create_time or end_time, with \" desc\" for descending")
      ->type_name("FIELD");
  trials->add_option("--limit", options->limit, "At most this many; 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  trials->add_flag("--measurements", options->measurements, "With --output json: every measurement of each trial");
}

void AddBest(CLI::App& app, Choice& choice) {
  std::shared_ptr<BestOptions> options;
  CLI::App* best = AddVerb(
      app, choice, kTrialsGroup, "best", "The best trial: parameters, metrics, artefacts",
      "Prints the best trial's parameters and metrics. --fetch copies its artefacts (model, output, logs) into DIR.\n\n"
      "Example:\n"
      "  tuner best xgboost-cancer\n"
      "  tuner best xgboost-cancer --fetch best-model\n"
      "  tuner best xgboost-cancer --output json | jq .parameters",
      &ShowBest, options);
  best->add_option("job", options->job, "Job")->required()->type_name("JOB");
  best->add_option("--fetch", options->fetch, "Copy the trial's files into this folder, which is made")
      ->type_name("DIR");
  AddDefinition(*best, options->definition, "The best trial of this training definition [of all]");
}

void AddLogs(CLI::App& app, Choice& choice) {
  std::shared_ptr<LogsOptions> options;
  CLI::App* logs = AddVerb(app, choice, kTrialsGroup, "logs", "Print a trial's output",
                           "Standard output of the trial's last attempt, or with --stderr its standard error. -f goes "
                           "on until it ends. --offset starts at that\n"
                           "byte; a negative one counts from the end.\n\n"
                           "Example:\n"
                           "  tuner logs xgboost-cancer/12\n"
                           "  tuner logs -f xgboost-cancer/12 --stderr --offset -2000",
                           &ShowLogs, options);
  logs->add_option("trial", options->trial, "Trial")->required()->type_name("JOB/NUMBER");
  logs->add_option("--attempt", options->attempt, "An earlier attempt")->type_name("N");
  logs->add_flag("-f,--follow", options->follow, "Go on until the attempt ends");
  logs->add_flag("--stderr", options->error_output, "Standard error instead of standard output");
  logs->add_option("--offset", options->offset, "Byte to start from; negative: from the end")->type_name("BYTES");
}

void AddFiles(CLI::App& app, Choice& choice) {
  std::shared_ptr<TableFileOptions> out, in;
  CLI::App* sub = AddVerb(app, choice, kTrialsGroup, "export", "Write a job's trials as CSV or JSON",
                          "One row per trial: number, state, objective, every parameter and every final metric, times. "
                          "What export writes, import reads.\n\n"
                          "Example:\n"
                          "  tuner export xgboost-cancer --format csv --out trials.csv\n"
                          "  tuner export xgboost-cancer --format json --measurements",
                          &ExportTrials, out);
  sub->add_option("job", out->job, "Job")->required()->type_name("JOB");
  sub->add_option("--format", out->format, "csv or json [by the file's ending, else csv]")
      ->check(CLI::IsMember({"csv", "json"}));
  sub->add_option("--out", out->file, "File to write [standard output]")->type_name("FILE");
  sub->add_flag("--measurements", out->measurements, "json: with all measurements");
  sub = AddVerb(
      app, choice, kTrialsGroup, "import", "Add finished trials to a job, from CSV or JSON",
      "The strategy learns from them as if they were its own; they don't count as trials of the job. A CSV "
      "file has one column per parameter\n"
      "and one per metric (the objective's at least), one row per trial; an optional column `state` says "
      "COMPLETED, FAILED or INFEASIBLE.\n"
      "A JSON file is a list of objects with the same names, or what export wrote. With --space the job is made: "
      "it has the objective and\n"
      "parameters of that job file, holds these trials only, runs nothing and is COMPLETED at once, so that "
      "others can start from it.\n\n"
      "Example:\n"
      "  tuner import xgboost-cancer earlier.csv\n"
      "  tuner import last-year trials-of-last-year.json --space job.yaml",
      &ImportTrials, in);
  sub->add_option("job", in->job, "Job")->required()->type_name("JOB");
  sub->add_option("file", in->file, "CSV or JSON file")->required()->type_name("FILE");
  sub->add_option("--space", in->space, "Make JOB out of the trials: its objective and parameters are this job file's")
      ->type_name("JOB_FILE");
  sub->add_option("--format", in->format, "csv or json [by the file's ending]")->check(CLI::IsMember({"csv", "json"}));
}

void AddPlot(CLI::App& app, Choice& choice) {
  std::shared_ptr<PlotOptions> options;
  CLI::App* plot =
      AddVerb(app, choice, kTrialsGroup, "plot",
              "Draw a job: history, parallel coordinates, slices, metric curves, front, model",
              "history: value of each trial and the best so far; parallel: all parameters side by side, coloured by "
              "the objective; slice: objective\n"
              "against each parameter; curves: every metric of each trial by step; front: several objectives "
              "against each other. Of the model of the bayesian strategy: importance of each parameter; contour: "
              "what it expects of two parameters, and how sure it is; loo: each trial as the others predict it. Needs "
              "gnuplot. Files are named "
              "JOB-KIND.svg unless --out names one.\n\n"
              "Example:\n"
              "  tuner plot xgboost-cancer\n"
              "  tuner plot xgboost-cancer --kind history --format png --out history.png",
              &PlotJob, options);
  plot->add_option("job", options->job, "Job")->required()->type_name("JOB");
  plot->add_option("--kind", options->kind, "history, parallel, slice, curves, front, importance, contour, loo or all")
      ->check(CLI::IsMember({"history", "parallel", "slice", "curves", "front", "importance", "contour", "loo", "all"}))
      ->capture_default_str();
  AddDefinition(*plot, options->definition, "Of a job with several: the training definition to draw");
  plot->add_option("--x", options->x, "contour: parameter across [the most important]")->type_name("NAME");
  plot->add_option("--y", options->y, "contour: parameter upwards [the next]")->type_name("NAME");
  plot->add_option("--format", options->format, "svg or png [by the file's ending, else svg]")
      ->check(CLI::IsMember({"svg", "png"}));
  plot->add_option("--out", options->out, "File (one kind) or folder [this folder]")->type_name("PATH");
  plot->add_option("--width", options->width, "Pixels")->check(CLI::Range(300, 4000))->capture_default_str();
  plot->add_option("--height", options->height, "Pixels")->check(CLI::Range(200, 4000))->capture_default_str();
}

void AddSuggest(CLI::App& app, Choice& choice) {
  std::shared_ptr<SuggestOptions> options;
  CLI::App* suggest = AddVerb(app, choice, kWorkers, "suggest", "Ask for trials to evaluate yourself",
                              "For jobs whose executor is `external`: leases up to COUNT trials to this worker. "
                              "Evaluate each, tell values with report if you like, and end\n"
                              "it with complete. The same worker asking again gets its unfinished trials back.\n\n"
                              "Example:\n"
                              "  tuner suggest my-job --worker laptop\n"
                              "  tuner complete my-job/1 loss=0.31",
                              &SuggestTrials, options);
  suggest->add_option("job", options->job, "Job")->required()->type_name("JOB");
  suggest->add_option("--worker", options->worker, "Who asks [host name and user]")->type_name("ID");
  suggest->add_option("--count", options->count, "Trials that this worker wants to hold")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  suggest->add_option("--deadline", options->deadline_seconds, "Longest wait for the strategy")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 60.0))
      ->capture_default_str();
  suggest->add_option("--request-id", options->request_id, "Makes a retry safe")->type_name("ID");
}

void AddTell(CLI::App& app, Choice& choice) {
  std::shared_ptr<TellOptions> report, complete;
  CLI::App* sub = AddVerb(app, choice, kWorkers, "report", "Tell a running trial's values, and learn whether to stop",
                          "Sends metric values of a trial. Inside a trial that tuner started, the trial's name is "
                          "known already and may be left out. Prints\n"
                          "`continue`, or `stop` and why when the trial should end now.\n\n"
                          "Example:\n"
                          "  tuner report my-job/3 loss=0.42 --step 7\n"
                          "  tuner report accuracy=0.91",
                          &ReportValues, report);
  sub->add_option("values", report->arguments, "[JOB/NUMBER] METRIC=VALUE ...")->required()->type_name("METRIC=VALUE");
  sub->add_option("--step", report->step, "Step (epoch) of the values [the next one]")->type_name("N");
  sub->add_option("--attempt", report->attempt, "Attempt that made them [the last]")->type_name("N");
  sub->add_option("--worker", report->worker, "The worker that holds the trial; checked if given")->type_name("ID");
  sub = AddVerb(app, choice, kWorkers, "complete", "End a trial: final values, failed, or infeasible",
                "Ends a trial with its final metric values, or says that it failed (it may be tried again) or that its "
                "point cannot be evaluated.\n\n"
                "Example:\n"
                "  tuner complete my-job/3 loss=0.31 accuracy=0.93\n"
                "  tuner complete my-job/4 --infeasible \"does not fit into memory\"",
                &CompleteTrial, complete);
  sub->add_option("values", complete->arguments, "[JOB/NUMBER] METRIC=VALUE ...")->type_name("METRIC=VALUE");
  sub->add_option("--failed", complete->failed, "The attempt failed, for this reason")->type_name("REASON");
  sub->add_option("--infeasible", complete->infeasible, "The point cannot be evaluated, for this reason")
      ->type_name("REASON");
  sub->add_option("--attempt", complete->attempt, "Attempt that ended [the last]")->type_name("N");
  sub->add_option("--worker", complete->worker, "The worker that holds the trial; checked if given")->type_name("ID");
}

}  // namespace

void AddTrialVerbs(CLI::App& app, Choice& choice) {
  AddTrials(app, choice);
  AddBest(app, choice);
  AddLogs(app, choice);
  AddFiles(app, choice);
  AddPlot(app, choice);
  AddSuggest(app, choice);
  AddTell(app, choice);
}

}  // namespace tuner::cli
