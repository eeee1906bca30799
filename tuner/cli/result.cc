#include "tuner/cli/result.h"

#include "absl/strings/str_cat.h"
#include "tuner/cli/definition_view.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

void PrintBest(Printer& printer, const v1::TuningJob& job) {
  if (job.front_size() > 0) {
    printer.out() << "Pareto front: " << printer.Green(absl::StrCat(job.front_size())) << " trials, "
                  << Printable(ObjectivesText(job.spec())) << "\n\n";
    printer.Print(FrontTable(job));
    return;
  }
  if (!job.has_best_trial()) {
    printer.out() << Printable(NoBestText(job)) << "\n";
  } else {
    const v1::Trial& best = job.best_trial();
    const v1::TuningJob of = JobOfDefinition(job, best.definition());
    printer.out() << "Best: trial " << best.number()
                  << (best.definition().empty() ? "" : absl::StrCat(" of ", best.definition())) << ", "
                  << Printable(of.spec().objective().metric()) << " = " << printer.Green(Number(best.objective()))
                  << "\n\n";
    printer.Print(ParameterTable(best, ParameterNames(of.spec())));
  }
  if (job.definitions().empty()) return;
  printer.out() << "\n";
  printer.Print(DefinitionTable(job));
}

void PrintNext(Printer& printer, const v1::TuningJob& job) {
  const std::string id = IdOf(job.name());
  const auto line = [&](const std::string& command, const char* what) {
    printer.out() << "  " << command << std::string(command.size() < 44 ? 44 - command.size() : 1, ' ')
                  << printer.Dim(what) << "\n";
  };
  printer.out() << "\nNext:\n";
  const std::vector<const v1::Objective*> objectives = Objectives(job.spec());
  if (objectives.size() == 1) {
    line(absl::StrCat("tuner trials ", id, " --order-by objective",
                      objectives.front()->goal() == v1::Objective::MAXIMIZE ? "\\ desc" : ""),
         "every trial, best first");
  } else {
    line(absl::StrCat("tuner trials ", id),
         job.definitions().empty() ? "every trial, those on the front marked" : "every trial, the best ones marked");
  }
  const std::string first = job.definitions().empty() ? "" : absl::StrCat(" --definition ", job.definitions(0).name());
  line(absl::StrCat("tuner plot ", id, first), "pictures of what happened");
  if (job.has_best_trial() && !ArtifactPath(job.best_trial()).empty())
    line(absl::StrCat("tuner best ", id, " --fetch DIR"), "the best trial's files");
}

}  // namespace

void PrintResult(Printer& printer, const v1::TuningJob& job, absl::Time now) {
  if (printer.style().json) return printer.PrintJson(job);
  const std::string state = StateText(job.state());
  printer.out() << "Job " << IdOf(job.name()) << " "
                << (job.state() == v1::TuningJob::FAILED ? printer.Red(state) : printer.Bold(state))
                << (job.reason().empty() ? "" : ": ") << Printable(job.reason()) << "\n";
  PrintBest(printer, job);
  if (printer.style().quiet) return;
  printer.out() << "\n"
                << DoneOfAll(job) << " trials done, " << job.trial_counts().failed() << " failed, in "
                << DurationText(Elapsed(job, now)) << ".\n";
  if (job.has_best_trial() && !ArtifactPath(job.best_trial()).empty()) {
    printer.out() << "The best trial's files are in " << Printable(ArtifactPath(job.best_trial())) << "\n";
  }
  PrintNext(printer, job);
}

int ExitCodeOf(const v1::TuningJob& job) { return job.state() == v1::TuningJob::FAILED ? kJobFailed : kDone; }

}  // namespace tuner::cli
