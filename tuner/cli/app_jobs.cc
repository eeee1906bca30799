// The verbs about jobs: run, create, validate, list, show, watch, stop, delete, clone, compare, replay.
#include "tuner/cli/app_tree.h"

namespace tuner::cli {
namespace {

constexpr const char* kJobsGroup = "Jobs";

void AddRun(CLI::App& app, Choice& choice) {
  std::shared_ptr<FileOptions> options;
  CLI::App* run = AddVerb(
      app, choice, "Start here", "run", "Run a job file here to its end, showing progress",
      "Runs the job of FILE (YAML or JSON) with a server of its own, which keeps everything in .tuner in this folder. "
      "Run it again to go\n"
      "on where it ended, or to see its result; larger limits in the file are applied, any other change is refused "
      "with the difference.\n"
      "The first Ctrl-C puts running trials back into the queue for the next run, a second one kills them at once.\n\n"
      "Example:\n"
      "  tuner run job.yaml\n"
      "  tuner run job.yaml --output json > result.json",
      &RunJob, options);
  run->add_option("file", options->file, "Job file")->required()->type_name("FILE");
}

void AddFileVerbs(CLI::App& app, Choice& choice) {
  std::shared_ptr<FileOptions> create, validate;
  CLI::App* sub = AddVerb(app, choice, kJobsGroup, "create", "Hand a job file to a server and return at once",
                          "Creates the job of FILE on the server and prints its name. The server goes on with it by "
                          "itself: look at it with show, watch\n"
                          "and trials. Doing it again with the same file changes nothing.\n\n"
                          "Example:\n"
                          "  tuner create job.yaml --endpoint tuning.example.org:7070",
                          &CreateJob, create);
  sub->add_option("file", create->file, "Job file")->required()->type_name("FILE");
  sub = AddVerb(app, choice, "Start here", "validate", "Check a job file: every problem at once, and advice",
                "Reports everything that is wrong in FILE by field, and remarks from the field's best practice. "
                "Nothing is stored or started.\n\n"
                "Example:\n"
                "  tuner validate job.yaml\n"
                "  tuner validate job.yaml --check           before a job on SageMaker costs money\n"
                "  tuner validate job.yaml --output json     {\"valid\": false, \"problems\": [{\"path\": ..., "
                "\"text\": ...}], \"advice\": []}",
                &ValidateJob, validate);
  sub->add_option("file", validate->file, "Job file")->required()->type_name("FILE");
  sub->add_flag(
      "--check", validate->check,
      "Also ask the executors' engines what they would refuse (credentials, buckets, rights); starts nothing");
}

void AddList(CLI::App& app, Choice& choice) {
  std::shared_ptr<ListOptions> options;
  CLI::App* list = AddVerb(app, choice, kJobsGroup, "list", "List jobs, newest first",
                           "One line per job: its state, trials done of those allowed, best value and age.\n\n"
                           "Example:\n"
                           "  tuner list --state RUNNING\n"
                           "  tuner list --tag team=vision --name resnet --output json",
                           &ListJobs, options);
  list->add_option("--state", options->states,
                   "Only jobs in this state (RUNNING, STOPPING, COMPLETED, STOPPED, FAILED); repeatable")
      ->type_name("STATE")
      ->transform(CLI::IsMember({"RUNNING", "STOPPING", "COMPLETED", "STOPPED", "FAILED"}, CLI::ignore_case));
  list->add_option("--tag", options->tags, "Only jobs with this tag; repeatable")->type_name("KEY=VALUE");
  list->add_option("--name", options->name_contains, "Only jobs whose name contains TEXT")->type_name("TEXT");
  list->add_option("--created-after", options->created_after, "Only jobs created at or after this time")
      ->type_name("RFC3339");
  list->add_option("--created-before", options->created_before, "Only jobs created before this time")
      ->type_name("RFC3339");
  list->add_option("--limit", options->limit, "At most this many; 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void AddOneJobVerbs(CLI::App& app, Choice& choice) {
  std::shared_ptr<JobOptions> show, watch, stop, remove, replay;
  AddVerb(app, choice, kJobsGroup, "show", "Show a job: state and reason, counts, best trial, search space",
          "Everything about one job but its trials: why it is in its state, how far it is, its best trial, search "
          "space, limits and advice.\n\n"
          "Example:\n"
          "  tuner show xgboost-cancer",
          &ShowJob, show)
      ->add_option("job", show->job, "Job")
      ->required()
      ->type_name("JOB");
  AddVerb(app, choice, kJobsGroup, "watch", "Follow a job's progress until it ends",
          "Shows the same live progress as run, for a job that runs elsewhere, and its result at the end. Ctrl-C ends "
          "the watching, not the job.\n\n"
          "Example:\n"
          "  tuner watch xgboost-cancer",
          &WatchJob, watch)
      ->add_option("job", watch->job, "Job")
      ->required()
      ->type_name("JOB");
  CLI::App* sub = AddVerb(app, choice, kJobsGroup, "stop", "Stop a job, or one trial (JOB/NUMBER)",
                          "Running trials get their grace period to save and end; what they reported is kept, and the "
                          "job ends as STOPPED. To go on with it\n"
                          "later, use clone --warm-start. With JOB/NUMBER only that trial is ended.\n\n"
                          "Example:\n"
                          "  tuner stop xgboost-cancer --reason \"good enough\"\n"
                          "  tuner stop xgboost-cancer/12",
                          &Stop, stop);
  sub->add_option("job", stop->job, "Job, or trial as JOB/NUMBER")->required()->type_name("JOB[/NUMBER]");
  sub->add_option("--reason", stop->reason, "Why; shown with the job or trial")->type_name("TEXT");
  sub = AddVerb(app, choice, kJobsGroup, "delete", "Delete an ended job with its trials and files",
                "Removes the job, its trials, logs and artefacts. A job that still runs is refused: stop it first.\n\n"
                "Example:\n"
                "  tuner delete xgboost-cancer",
                &DeleteJob, remove);
  sub->add_option("job", remove->job, "Job")->required()->type_name("JOB");
  AddVerb(
      app, choice, kJobsGroup, "replay", "Recompute every suggestion of a job, and compare with what is stored",
      "Each suggestion is a pure function of the specification, the seed, the results in their order, and the basis "
      "that is stored with its trial.\n"
      "Under the fingerprint (version, numeric library, processor) that a suggestion was recorded under it must come "
      "out bit by bit; under\n"
      "another one, within 1e-6 of each parameter's range. Tells the first difference, and then ends with 1.\n\n"
      "Example:\n"
      "  tuner replay xgboost-cancer",
      &ReplayJob, replay)
      ->add_option("job", replay->job, "Job")
      ->required()
      ->type_name("JOB");
}

void AddClone(CLI::App& app, Choice& choice) {
  std::shared_ptr<CloneOptions> options;
  CLI::App* clone = AddVerb(
      app, choice, kJobsGroup, "clone", "Make a new job like an old one",
      "Creates a job with the specification of another, all of its settings and seed included, under a new name. "
      "--set changes any of them;\n"
      "--warm-start lets it learn from the old job's trials. With --print it only prints the specification, as a "
      "job file to edit.\n\n"
      "Example:\n"
      "  tuner clone xgboost-cancer xgboost-cancer-2 --max-trials 200 --warm-start\n"
      "  tuner clone xgboost-cancer xgboost-deep --set parameters[1].integer.max=12 --set strategy.random_seed=3\n"
      "  tuner clone xgboost-cancer xgboost-wide --print > wide.json",
      &CloneJob, options);
  clone->add_option("job", options->job, "Job to copy")->required()->type_name("JOB");
  clone->add_option("name", options->name, "Name of the new job")->required()->type_name("NAME");
  clone->add_option("--max-trials", options->max_trials, "Another limit of trials")->type_name("N");
  clone->add_option("--max-parallel-trials", options->max_parallel_trials, "Another number of trials at a time")
      ->type_name("N");
  clone
      ->add_option("--set", options->changes,
                   "Another value of a field of the job file, as YAML; nothing takes it away; repeatable")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  clone->add_flag("--warm-start", options->warm_start, "Start from the old job's trials");
  clone
      ->add_option("--warm-start-type", options->warm_start_type,
                   "What the old trials are [IDENTICAL_DATA_AND_ALGORITHM]")
      ->type_name("TYPE")
      ->transform(CLI::IsMember({"IDENTICAL_DATA_AND_ALGORITHM", "TRANSFER_LEARNING"}, CLI::ignore_case));
  clone->add_flag("--print", options->file_only, "Print the job file, create nothing");
}

void AddExplain(CLI::App& app, Choice& choice) {
  std::shared_ptr<ExplainOptions> options;
  CLI::App* explain =
      AddVerb(app, choice, kJobsGroup, "explain", "Say what the model knows, and why a trial was chosen",
              "For jobs of the bayesian strategy, running or finished: how much each parameter matters, what 10 more "
              "trials would bring,\n"
              "how long the job will take; of a trial or point, what the model expects there. --at takes what is not "
              "given from the best trial.\n\n"
              "Example:\n"
              "  tuner explain xgboost-cancer\n"
              "  tuner explain xgboost-cancer --trial 12\n"
              "  tuner explain xgboost-cancer --at eta=0.1 max_depth=4",
              &ExplainJob, options);
  explain->add_option("job", options->job, "Job")->required()->type_name("JOB");
  auto* trial = explain->add_option("--trial", options->trial, "Explain this trial")->type_name("N");
  explain->add_option("--at", options->at, "Explain this point: NAME=VALUE ...")
      ->type_name("NAME=VALUE")
      ->excludes(trial);
  explain->add_option("--definition", options->definition, "Of a job with several: the training definition")
      ->type_name("NAME");
  explain->add_flag("--data", options->data, "With --output json: also what the model was fitted to");
}

void AddCompare(CLI::App& app, Choice& choice) {
  std::shared_ptr<CompareOptions> options;
  AddVerb(app, choice, kJobsGroup, "compare", "Put jobs side by side",
          "Best value, trials, time and trials to the best of each job, and every field in which their specifications "
          "differ.\n\n"
          "Example:\n"
          "  tuner compare random-search bayesian-search",
          &CompareJobs, options)
      ->add_option("jobs", options->jobs, "Two or more jobs")
      ->required()
      ->expected(2, 20)
      ->type_name("JOB");
}

}  // namespace

void AddJobVerbs(CLI::App& app, Choice& choice) {
  AddRun(app, choice);
  AddFileVerbs(app, choice);
  AddList(app, choice);
  AddOneJobVerbs(app, choice);
  AddClone(app, choice);
  AddExplain(app, choice);
  AddCompare(app, choice);
}

}  // namespace tuner::cli
