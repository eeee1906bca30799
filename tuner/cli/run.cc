// run, watch: a job followed to its end, in this process or in another.
#include <atomic>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/follow.h"
#include "tuner/cli/job_source.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/pages.h"
#include "tuner/cli/rerun.h"
#include "tuner/cli/result.h"
#include "tuner/cli/signals.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

bool SpeaksUtf8(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = absl::AsciiStrToLower(environment.variable(name).value_or(""));
    if (!value.empty()) return absl::StrContains(value, "utf-8") || absl::StrContains(value, "utf8");
  }
  return false;
}

// The job of the file: new, or the one of that name if it is the same but for larger limits.
absl::StatusOr<v1::TuningJob> CreateOrResume(Client& client, const JobSource& source, JobProgress& progress,
                                             ProgressView& view, Printer& printer) {
  const auto name = JobNameOf(source.spec.name());
  if (!name.ok()) {
    // The service knows what else is wrong.
    v1::CreateTuningJobRequest check;
    *check.mutable_spec() = source.spec;
    check.set_base_dir(source.base_dir);
    check.set_validate_only(true);
    const auto checked = client.Call(check);
    return checked.ok() ? name.status() : WithLines(checked.status(), source);
  }
  auto existing = FetchJob(client, *name);
  if (existing.ok()) {
    auto resumed = Rerun(client, *std::move(existing), source);
    if (!resumed.ok()) return resumed.status();
    if (!resumed->what_changed.empty()) printer.Note(resumed->what_changed);
    if (!IsTerminal(resumed->job.state()) && !printer.style().json && !printer.style().quiet) {
      view.Say(absl::StrCat("Going on with job ", IdOf(*name), ": ", DoneOfAll(resumed->job), " trials done."));
    }
    if (!IsTerminal(resumed->job.state())) {
      v1::ListTrialsRequest request;
      request.set_parent(*name);
      const auto trials = FetchTrials(client, request, 0);
      if (!trials.ok()) return trials.status();
      progress.Remember(*trials);
    }
    return std::move(resumed->job);
  }
  if (!absl::IsNotFound(existing.status())) return existing.status();
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = source.spec;
  request.set_base_dir(source.base_dir);
  auto created = client.Call(request);
  if (!created.ok()) return WithLines(created.status(), source);
  for (const std::string& remark : created->advice())
    printer.Note(absl::StrCat(printer.Yellow("advice: "), Printable(remark)));
  return std::move(*created->mutable_job());
}

// What Ctrl-C does to a job that runs in this process.
OnInterrupt InterruptOwn(server::Server& server, ProgressView& view, int count, bool news, const v1::TuningJob& job) {
  if (count == 1 && news) {
    const int active = ActiveTrials(job);
    view.Say(
        absl::StrCat("Interrupted: ", active, active == 1 ? " running trial gets its" : " running trials get their",
                     " grace period to end and will be run again by the next `tuner run`. Ctrl-C again kills now."));
    server.PreemptAll("interrupted by Ctrl-C");
  }
  if (count == 2 && news) view.Say("Killing the running trials.");
  if (count >= 2) server.KillAll();
  return count > 2 ? OnInterrupt::kLeave : OnInterrupt::kDrain;
}

absl::StatusOr<int> FollowToEnd(Context& context, Client& client, const std::string& job_name, JobProgress& progress,
                                ProgressView& view, FollowInbox& inbox, const std::string& resume_command) {
  server::Server* const own = context.connection().server.get();
  auto end = Follow(client, job_name, progress, view, inbox, [&](int count, bool news, const v1::TuningJob& job) {
    return own ? InterruptOwn(*own, view, count, news, job) : OnInterrupt::kLeave;
  });
  view.End();
  if (!end.ok()) return end.status();
  Printer& printer = context.printer();
  if (end->interrupted && !IsTerminal(end->job.state())) {
    const std::string id = IdOf(job_name);
    if (printer.style().json) printer.PrintJson(end->job);
    printer.Note(
        own ? absl::StrCat("Interrupted after ", DoneOfAll(end->job), " trials. `", resume_command, "` goes on.")
            : absl::StrCat("The job goes on in the server at ", context.connection().address, ". `tuner watch ", id,
                           "` looks at it again, `tuner stop ", id, "` ends it."));
    return kInterrupted;
  }
  if (end->job.front_size() > 0 || !end->job.definitions().empty()) {
    // A watch tells how many there are on the front, and the numbers of definitions' best trials, but not all of them.
    auto whole = FetchJob(client, job_name);
    if (!whole.ok()) return whole.status();
    end->job = *std::move(whole);
  }
  PrintResult(printer, end->job, absl::Now());
  return end->interrupted ? static_cast<int>(kInterrupted) : ExitCodeOf(end->job);
}

}  // namespace

absl::StatusOr<int> RunJob(Context& context, const FileOptions& options) {
  auto source = ReadJobSource(options.file);
  if (!source.ok())
    return absl::Status(source.status().code(),
                        absl::IsInvalidArgument(source.status())
                            ? absl::StrCat(options.file, " has problems:\n", source.status().message())
                            : source.status().message());
  FollowInbox inbox;
  // Before the server and its threads, so that none of them is the one to get the signal.
  const SignalWatcher signals([&inbox](int) { inbox.Interrupt(); });
  auto client = context.Open(Embed::kFullServer);
  if (!client.ok()) return client.status();
  Printer& printer = context.printer();
  const auto view = MakeProgressView(printer, SpeaksUtf8(context.environment()));
  JobProgress progress;
  const auto job = CreateOrResume(**client, *source, progress, *view, printer);
  if (!job.ok()) {
    if (!absl::IsInvalidArgument(job.status())) return job.status();
    return absl::InvalidArgumentError(absl::StrCat(options.file, " has problems:\n", job.status().message()));
  }
  absl::StatusOr<int> code = kDone;
  if (IsTerminal(job->state())) {
    PrintResult(printer, *job, absl::Now());
    code = ExitCodeOf(*job);
  } else {
    code =
        FollowToEnd(context, **client, job->name(), progress, *view, inbox, absl::StrCat("tuner run ", options.file));
  }
  context.Close();
  return code;
}

absl::StatusOr<int> WatchJob(Context& context, const JobOptions& options) {
  const auto name = JobNameOf(options.job);
  if (!name.ok()) return name.status();
  FollowInbox inbox;
  const SignalWatcher signals([&inbox](int) { inbox.Interrupt(); });
  auto client = context.Open(Embed::kLookOnly);
  if (!client.ok()) return client.status();
  if (context.connection().server) {
    // Nobody runs the job, so its end would not come.
    const auto job = FetchJob(**client, *name);
    if (!job.ok()) return job.status();
    PrintResult(context.printer(), *job, absl::Now());
    if (!IsTerminal(job->state()))
      context.printer().Note("No server runs this job at the moment; `tuner run` or `tuner serve` goes on with it.");
    return ExitCodeOf(*job);
  }
  const auto view = MakeProgressView(context.printer(), SpeaksUtf8(context.environment()));
  JobProgress progress;
  return FollowToEnd(context, **client, *name, progress, *view, inbox, absl::StrCat("tuner watch ", options.job));
}

}  // namespace tuner::cli
