#include "executors/container_run.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "executors/run_outcome.h"
#include "executors/supervisor/records.h"

namespace tuner::executors {
namespace {

using Outcome = RunEnded::Outcome;
using Phase = ContainerState::Phase;

constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(10);
// A start whose answer was lost may still be on its way: an engine that is asked again too soon might start it twice.
constexpr int kTriesOfLostStart = 4;
// So may a creation be, which has the name before there is a container to be seen.
constexpr int kTriesOfLostCreation = 3;
constexpr int kTriesOfTakenName = 6;
constexpr char kOtherName[] = "-again";
constexpr absl::Duration kKillAgain = absl::Seconds(5);
constexpr int64_t kReadTwiceBytes = 1 << 20;
constexpr int kMostUnreadable = 3;
constexpr size_t kFailureTextChars = 1024;
constexpr size_t kErrorTailBytes = 2048;
constexpr size_t kShortestSecret = 4;

bool IsNoAnswer(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status); }

const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Doubles, with up to half of it more or less, so that many runs do not ask a returning engine all at once.
absl::Duration PauseAfter(int tries) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  const absl::Duration pause = std::min(kLongestPause, kFirstPause * (1 << std::min(tries, 10)));
  return pause * std::uniform_real_distribution<double>(0.5, 1.5)(random);
}

absl::Status LostStart(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("the engine went away while it started the container: ", why));
}

std::string ThisHost() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

}  // namespace

ContainerRun::ContainerRun(ContainerPlan plan, std::shared_ptr<const CompiledMetrics> metrics, bool told_started,
                           Environment environment)
    : plan_(std::move(plan)),
      environment_(std::move(environment)),
      api_(environment_.http, plan_.socket),
      output_(plan_, std::move(metrics), environment_.clock, environment_.listener),
      told_started_(told_started) {}

ContainerRun::~ContainerRun() {
  Detach();
  if (thread_.joinable()) thread_.join();
}

void ContainerRun::Detach() {
  {
    absl::MutexLock lock(&mutex_);
    detaching_ = true;
  }
  detach_.Raise();
  interrupt_.Raise();
}

void ContainerRun::Begin() {
  thread_ = std::thread([this] { Drive(); });
}

bool ContainerRun::Stop(absl::Duration grace) {
  {
    absl::MutexLock lock(&mutex_);
    if (has_ended_) return false;
    const absl::Time by = environment_.clock->Now() + grace;
    stop_by_ = stop_by_ ? std::min(*stop_by_, by) : by;
    stop_asked_ = true;
  }
  interrupt_.Raise();
  return true;
}

absl::Status ContainerRun::GivenUp(bool stoppable) const {
  absl::MutexLock lock(&mutex_);
  if (detaching_) return absl::CancelledError("the server goes away");
  if (stoppable && stop_by_) return absl::AbortedError("stopped before it began");
  return absl::OkStatus();
}

absl::Status ContainerRun::Pause(int tries, bool stoppable) {
  {
    absl::MutexLock lock(&mutex_);
    const auto over = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return detaching_ || (stoppable && stop_by_); };
    environment_.clock->AwaitUntil(mutex_, absl::Condition(&over), environment_.clock->Now() + PauseAfter(tries));
  }
  return GivenUp(stoppable);
}

template <typename Call>
auto ContainerRun::Ask(bool stoppable, const Call& call) -> decltype(call(std::declval<StopSignal*>())) {
  for (int tries = 0;; ++tries) {
    if (absl::Status over = GivenUp(stoppable); !over.ok()) return over;
    auto result = call(stoppable ? &interrupt_ : &detach_);
    const absl::Status& status = StatusOf(result);
    if (absl::IsCancelled(status)) {
      const absl::Status over = GivenUp(stoppable);
      return over.ok() ? status : over;
    }
    if (!IsNoAnswer(status)) return result;
    doubtful_ = true;
    if (absl::Status over = Pause(tries, stoppable); !over.ok()) return over;
  }
}

void ContainerRun::Drive() {
  const auto end = Ask(false, [&](StopSignal*) { return ReadContainerEnd(plan_.paths); });
  if (!end.ok()) return;
  if (*end) return TellRecorded(**end);
  if (const auto secrets = ReadSecrets(plan_); secrets.ok()) {
    for (const auto& [name, value] : *secrets) secrets_.push_back(value);
  }
  const auto start = Ask(false, [&](StopSignal*) { return ReadContainerStart(plan_.paths); });
  if (!start.ok()) return;
  begun_ = resumed_ = doubtful_ = start->has_value();
  boot_id_ = begun_ ? (*start)->boot_id : records::BootId();
  if (begun_) ids_ = std::move((*start)->ids);
  if (begun_ && HasPipes(plan_)) {
    RunEnded lost;
    lost.outcome = Outcome::kLost;
    lost.reason = "the server was restarted while it fed the trial's pipes";
    lost.time = environment_.clock->Now();
    return Conclude(std::move(lost));
  }
  absl::Status ready = begun_ ? absl::OkStatus() : Provide();
  if (ready.ok()) ready = StartAll();
  if (absl::IsCancelled(ready)) return;
  if (!ready.ok()) return Conclude(EndOf(ready));
  Supervise();
  if (!detached()) Conclude(EndOfHosts());
}

absl::Status ContainerRun::Provide() {
  const auto given_up = [this] { return !GivenUp(true).ok(); };
  absl::Status inputs = Ask(true, [&](StopSignal*) {
    const absl::Status provided = ProvideInputs(plan_, given_up);
    const absl::Status over = GivenUp(true);
    return over.ok() ? provided : over;
  });
  if (!inputs.ok()) return inputs;
  const std::string& image = plan_.options.image();
  if (plan_.options.pull_policy() == v1::ContainerExecutor::ALWAYS) {
    if (absl::Status pulled = ProvideImage(); !pulled.ok()) return pulled;
  }
  if (!plan_.network.empty()) {
    const bool internal = plan_.options.network() == "none";
    const absl::Status made =
        Ask(true, [&](StopSignal* stop) { return api_.CreateNetwork(plan_.network, internal, plan_.labels, stop); });
    if (absl::IsCancelled(made) || absl::IsAborted(made)) return made;
    if (!made.ok()) {
      return absl::InternalError(absl::StrCat("the engine makes no network for the trial's hosts: ", made.message()));
    }
  }
  absl::Status created = CreateAll();
  if (absl::IsNotFound(created)) {
    if (plan_.options.pull_policy() == v1::ContainerExecutor::NEVER) {
      return absl::InternalError(
          absl::StrCat("the image ", image, " is not on this machine, and pull_policy is NEVER: pull or build it"));
    }
    if (absl::Status pulled = ProvideImage(); !pulled.ok()) return pulled;
    created = CreateAll();
  }
  if (!created.ok()) return created;
  if (absl::Status written = WriteStart(); !written.ok()) return written;
  begun_ = true;
  if (HasPipes(plan_)) feeder_ = std::make_unique<PipeFeeder>(plan_);
  return absl::OkStatus();
}

absl::Status ContainerRun::ProvideImage() {
  const std::string& image = plan_.options.image();
  const absl::Status pulled = Ask(true, [&](StopSignal* stop) { return api_.Pull(image, stop); });
  if (pulled.ok() || absl::IsCancelled(pulled) || absl::IsAborted(pulled)) return pulled;
  return absl::InternalError(
      absl::StrCat("the image ", image, " is not on this machine and cannot be pulled: ", pulled.message()));
}

absl::Status ContainerRun::WriteStart() {
  return Ask(true, [&](StopSignal*) { return WriteContainerStart(plan_.paths, {ids_, boot_id_}); });
}

absl::Status ContainerRun::CreateAll() {
  ids_.clear();
  const auto secrets = ReadSecrets(plan_);
  if (!secrets.ok()) return secrets.status();
  for (int host = 0; host < plan_.hosts(); ++host) {
    absl::StatusOr<std::string> id = CreateOne(host, *secrets);
    if (!id.ok()) return id.status();
    ids_.push_back(*std::move(id));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ContainerRun::CreateOne(int host,
                                                    const absl::btree_map<std::string, std::string>& secrets) {
  const absl::StatusOr<std::string> body = CreateBody(plan_, host, secrets);
  if (!body.ok()) return body.status();
  std::string name = plan_.ContainerName(host);
  for (int tries = 0; tries < 2 * kTriesOfTakenName; ++tries) {
    absl::StatusOr<std::string> id = Ask(true, [&](StopSignal* stop) { return api_.Create(name, *body, stop); });
    const absl::Status& failed = id.status();
    if (id.ok() || absl::IsCancelled(failed) || absl::IsAborted(failed) || absl::IsNotFound(failed)) return id;
    if (!absl::IsAlreadyExists(failed)) {
      return absl::InternalError(absl::StrCat("the engine refuses the container: ", failed.message()));
    }
    doubtful_ = true;
    // Made by a call whose answer was lost, or somebody else's.
    const absl::StatusOr<ContainerState> there = Ask(true, [&](StopSignal* stop) { return api_.Inspect(name, stop); });
    if (absl::IsCancelled(there.status()) || absl::IsAborted(there.status())) return there.status();
    if (there.ok()) {
      const bool ours = std::all_of(plan_.labels.begin(), plan_.labels.end(), [&](const auto& label) {
        const auto it = there->labels.find(label.first);
        return it != there->labels.end() && it->second == label.second;
      });
      if (!ours) {
        return absl::InternalError(
            absl::StrCat("name conflict: another container is called ", name, "; remove or rename that one"));
      }
      if (there->phase == Phase::kCreated) return there->id;
    }
    // An engine that was killed in the middle of a creation keeps the name and some files, in the middle of a removal
    // a container that it removes for ever. Neither ever ran: nothing is started before its id is recorded.
    bool leftover = there.ok() || absl::IsNotFound(there.status());
    if (!leftover) {
      // One whose files are gone cannot be looked at, but its labels can.
      const auto ours = Ask(true, [&](StopSignal* stop) { return api_.List(plan_.labels, stop); });
      if (absl::IsCancelled(ours.status()) || absl::IsAborted(ours.status())) return ours.status();
      leftover = ours.ok() && std::any_of(ours->begin(), ours->end(), [&](const auto& c) { return c.name == name; });
    }
    if (leftover && tries + 1 >= kTriesOfLostCreation) {
      const std::string& which = there.ok() ? there->id : name;
      const absl::Status removed = Ask(true, [&](StopSignal* stop) { return api_.Remove(which, stop); });
      if (absl::IsCancelled(removed) || absl::IsAborted(removed)) return removed;
    }
    // The janitor goes after what stays there.
    if (tries + 1 == kTriesOfTakenName) absl::StrAppend(&name, kOtherName);
    if (absl::Status over = Pause(tries % kTriesOfTakenName, true); !over.ok()) return over;
  }
  return absl::InternalError(
      absl::StrCat("name conflict: the engine says that ", name, " is taken, and knows no such container"));
}

absl::Status ContainerRun::StartAll() {
  for (int host = 0; host < plan_.hosts(); ++host) {
    if (absl::Status started = StartOne(host); !started.ok()) return started;
  }
  absl::Time time = environment_.clock->Now();
  std::string id;
  const absl::StatusOr<ContainerState> state =
      Ask(false, [&](StopSignal* stop) { return api_.Inspect(ids_[0], stop); });
  if (absl::IsCancelled(state.status())) return state.status();
  if (state.ok()) {
    id = state->id.substr(0, 12);
    if (state->started != absl::InfinitePast()) time = state->started;
  }
  started_ = RunStarted{
      absl::StrCat(ThisHost(), ", container ", plan_.ContainerName(0), id.empty() ? "" : " (", id,
                   id.empty() ? "" : ")", plan_.hosts() > 1 ? absl::StrCat(" and ", plan_.hosts() - 1, " more") : ""),
      plan_.paths.attempt, time};
  if (!told_started_) environment_.listener->OnRunEvent({plan_.spec.id, *started_});
  told_started_ = true;
  // Measurements follow the start.
  return Ask(false, [&](StopSignal*) { return output_.Open(); });
}

absl::Status ContainerRun::Replace(int host) {
  std::string& id = ids_[static_cast<size_t>(host)];
  const std::string old = std::exchange(id, "");
  // From the record alone a server after this one knows that this host never ran, whatever it finds.
  if (absl::Status written = WriteStart(); !written.ok()) return written;
  absl::Status removed;
  for (int tries = 0; tries < kTriesOfTakenName && !old.empty(); ++tries) {
    removed = Ask(true, [&](StopSignal* stop) { return api_.Remove(old, stop); });
    if (removed.ok() || absl::IsCancelled(removed) || absl::IsAborted(removed)) break;
    if (absl::Status over = Pause(tries, true); !over.ok()) return over;
  }
  if (!removed.ok()) return removed;
  const auto secrets = ReadSecrets(plan_);
  if (!secrets.ok()) return secrets.status();
  absl::StatusOr<std::string> made = CreateOne(host, *secrets);
  if (!made.ok()) return made.status();
  id = *std::move(made);
  return WriteStart();
}

absl::Status ContainerRun::StartOne(int host) {
  const std::string& name = ids_[static_cast<size_t>(host)];
  bool uncertain = resumed_ && !name.empty();
  if (name.empty()) {
    if (absl::Status made = Replace(host); !made.ok()) return made;
  }
  for (int tries = 0;; ++tries) {
    if (uncertain) {
      // It may have been started by a call whose answer was lost, or by the server before this one.
      const absl::StatusOr<ContainerState> state =
          Ask(false, [&](StopSignal* stop) { return api_.Inspect(name, stop); });
      if (absl::IsCancelled(state.status())) return state.status();
      if (absl::IsNotFound(state.status()) || (state.ok() && state->phase != Phase::kCreated)) return absl::OkStatus();
      // Podman notes a container's process, lets it go, and notes that. Killed between the two it never learns how the
      // container ends, and would run it anew.
      if (state.ok() && state->has_process) return LostStart("it cannot say whether it runs");
    }
    const absl::Status started = api_.Start(name, &detach_);
    if (started.ok() || absl::IsNotFound(started)) return absl::OkStatus();  // a lost one is found to be so
    if (detached()) return absl::CancelledError("the server goes away");
    if (!IsNoAnswer(started)) {
      const bool of_program = ExplainStartFailure(started.message(), "").exit_code != 125;
      if (!uncertain || of_program) return absl::InternalError(started.message());
      // Podman that was killed in the middle of a start may be unable to start it ever. It notes the process before it
      // lets it go, so a container without one did not run, neither by the start that failed, which had it to itself.
      // After a restart of the machine Podman has forgotten the process: then nothing is known.
      const absl::StatusOr<bool> never_ran = Ask(false, [&](StopSignal* stop) { return api_.NeverRan(name, stop); });
      if (absl::IsCancelled(never_ran.status())) return never_ran.status();
      if (never_ran.ok() && *never_ran && boot_id_ == records::BootId()) {
        if (absl::Status made = Replace(host); !made.ok()) return made;
        uncertain = false;
        continue;
      }
      return LostStart(started.message());
    }
    uncertain = doubtful_ = true;
    if (absl::Status over = Pause(std::max(tries, kTriesOfLostStart), false); !over.ok()) return over;
  }
}

void ContainerRun::Supervise() {
  const int hosts = plan_.hosts();
  {
    absl::MutexLock lock(&mutex_);
    hosts_.resize(static_cast<size_t>(hosts));
    for (int host = 0; host < hosts; ++host) {
      hosts_[static_cast<size_t>(host)].follower = std::thread([this, host] { Follow(host); });
    }
  }
  const absl::Time limit = plan_.spec.time_limit ? started_->time + *plan_.spec.time_limit : absl::InfiniteFuture();
  bool told = false;                        // to end
  absl::Time again = absl::InfinitePast();  // when to tell it again
  for (int tries = 0;;) {
    bool kill = false;
    {
      absl::MutexLock lock(&mutex_);
      const std::optional<absl::Time> known = stop_by_;
      const auto changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return detaching_ || ended_hosts_ == hosts || stop_by_ != known || (failed_hosts_ > 0 && !stop_by_);
      };
      const absl::Time due = !known ? limit : told ? std::max(*known, again) : again;
      environment_.clock->AwaitUntil(mutex_, absl::Condition(&changed), due);
      if (detaching_ || ended_hosts_ == hosts) break;
      const absl::Time now = environment_.clock->Now();
      if (!stop_by_ && now >= limit) timed_out_ = true;
      if (!stop_by_ && (timed_out_ || failed_hosts_ > 0)) stop_by_ = now + plan_.spec.grace_period;
      if (!stop_by_ || now < again) continue;
      kill = now >= *stop_by_;
      if (told && !kill) continue;
    }
    const bool answered = Signal(kill ? "SIGKILL" : "SIGTERM");
    told = told || answered;
    tries = answered ? 0 : tries + 1;
    const absl::Duration pause = !answered ? PauseAfter(tries) : kill ? kKillAgain : absl::ZeroDuration();
    again = environment_.clock->Now() + pause;
  }
  std::vector<std::thread> followers;
  {
    absl::MutexLock lock(&mutex_);
    for (Host& host : hosts_) followers.push_back(std::move(host.follower));
  }
  for (std::thread& follower : followers) follower.join();
}

bool ContainerRun::Signal(const std::string& signal) {
  bool answered = true;
  for (int host = 0; host < plan_.hosts(); ++host) {
    {
      absl::MutexLock lock(&mutex_);
      if (hosts_[static_cast<size_t>(host)].end) continue;
    }
    const absl::Status told = api_.Kill(ids_[static_cast<size_t>(host)], signal, &detach_);
    answered = answered && !IsNoAnswer(told);
    if (!told.ok() && !IsNoAnswer(told)) continue;
    absl::MutexLock lock(&mutex_);
    signalled_ = true;
  }
  return answered;
}

void ContainerRun::Follow(int host) {
  const std::string& name = ids_[static_cast<size_t>(host)];
  const LogDemultiplexer::Sink sink = [&](LogDemultiplexer::Stream stream, absl::string_view bytes) {
    output_.Take(host, stream == LogDemultiplexer::kStdout ? MetricScanner::kStdout : MetricScanner::kStderr, bytes);
    return output_.full(host) ? absl::ResourceExhaustedError("nothing more is kept") : absl::OkStatus();
  };
  HostEnd end;
  int unreadable = 0;
  for (int tries = 0;; ++tries) {
    output_.Rewind(host);
    absl::Status read =
        output_.full(host) ? api_.Wait(name, &detach_) : api_.Logs(name, /*follow=*/true, sink, &detach_);
    if (detached()) return;
    if (absl::IsResourceExhausted(read)) continue;  // waits from now on
    const absl::StatusOr<ContainerState> state = api_.Inspect(name, &detach_);
    if (absl::IsNotFound(state.status()) || (state.ok() && state->phase == Phase::kCreated)) {
      end.lost = true;
      break;
    }
    if (state.ok() && state->phase == Phase::kExited) {
      // An engine may end its answer a little before the output has come to its end.
      const bool quiet = absl::IsDeadlineExceeded(read);  // one that died meanwhile does not say that it has ended
      if (!output_.full(host) && (quiet || (read.ok() && output_.size(host) <= kReadTwiceBytes))) {
        output_.Rewind(host);
        read = api_.Logs(name, /*follow=*/false, sink, &detach_);
      }
      unreadable += !read.ok() && !IsNoAnswer(read) ? 1 : 0;
      if (read.ok() || output_.full(host) || unreadable >= kMostUnreadable) {
        end.state = *state;
        end.unread = !read.ok() && !output_.full(host);
        break;
      }
    }
    if (state.ok() && (read.ok() || absl::IsDeadlineExceeded(read))) tries = 0;
    if (!Pause(tries, false).ok()) return;
  }
  absl::MutexLock lock(&mutex_);
  end.by_us = signalled_;
  end.order = ended_hosts_++;
  if (end.lost || end.state.exit_code != 0) ++failed_hosts_;
  hosts_[static_cast<size_t>(host)].end = std::move(end);
}

RunEnded ContainerRun::EndOf(const absl::Status& failure) {
  RunEnded ended;
  ended.time = environment_.clock->Now();
  if (absl::IsAborted(failure)) {
    ended.outcome = Outcome::kStopped;
    ended.reason = "stopped before it began";
  } else if (absl::IsDataLoss(failure)) {
    ended.outcome = Outcome::kLost;
    ended.reason = std::string(failure.message());
  } else if (begun_) {
    const StartFailure told = ExplainStartFailure(failure.message(), ProgramOf(plan_));
    ended.exit_code = told.exit_code;
    ended.reason = told.text;
  } else {
    ended.reason = std::string(failure.message());
  }
  return ended;
}

std::string ContainerRun::HowItEnded(const ContainerState& state) const {
  const int code = state.exit_code;
  const v1::ContainerExecutor& options = plan_.options;
  const bool limited = options.has_memory_limit_bytes();
  if (state.out_of_memory) {
    return absl::StrCat("out of memory: killed at its memory limit",
                        limited ? absl::StrCat(" of ", options.memory_limit_bytes(), " bytes") : "");
  }
  if (code == 128 + SIGKILL && limited) {
    return absl::StrCat("killed (exit code 137), probably out of memory: its memory limit is ",
                        options.memory_limit_bytes(), " bytes");
  }
  if (code == 128 + SIGKILL) return "killed by signal 9 (SIGKILL) from outside (exit code 137); out of memory?";
  if (code == 127) return "exit code 127: a command was not found in the image";
  if (code == 126) return "exit code 126: a command could not be executed";
  if (code == 125) return "exit code 125";
  if (code > 128 && code <= 128 + 64) return absl::StrCat("exit code ", code, ": ", SignalName(code - 128));
  return absl::StrCat("exit code ", code, state.error.empty() ? "" : ": ", state.error);
}

RunEnded ContainerRun::EndOfHosts() {
  std::vector<HostEnd> ends;
  bool stop_asked;
  {
    absl::MutexLock lock(&mutex_);
    for (const Host& host : hosts_) ends.push_back(*host.end);
    stop_asked = stop_asked_;
  }
  // What counts is the first that failed; with none, the last one's end.
  size_t of = 0;
  const auto failed = [](const HostEnd& end) { return end.lost || end.state.exit_code != 0; };
  for (size_t i = 1; i < ends.size(); ++i) {
    const bool better = failed(ends[i]) != failed(ends[of]) ? failed(ends[i])
                        : failed(ends[i])                   ? ends[i].order < ends[of].order
                                                            : ends[i].order > ends[of].order;
    if (better) of = i;
  }
  const HostEnd& end = ends[of];
  const std::string host = ends.size() > 1 ? absl::StrCat(HostOfTrial(static_cast<int>(of)), ": ") : "";
  RunEnded ended;
  ended.time = end.state.finished != absl::InfinitePast() ? end.state.finished : environment_.clock->Now();
  if (!end.lost) ended.exit_code = end.state.exit_code;
  std::string how = host + (end.lost ? "its container is gone" : HowItEnded(end.state));
  if (end.by_us && !end.lost && end.state.exit_code == 128 + SIGKILL) how = host + "killed by signal 9 (SIGKILL)";
  const bool of_earlier_boot = boot_id_ != records::BootId();
  if (end.by_us && timed_out_) {
    ended.outcome = Outcome::kTimedOut;
    ended.reason = absl::StrCat("reached its time limit of ", absl::FormatDuration(*plan_.spec.time_limit), "; ", how);
  } else if (end.by_us && stop_asked) {
    ended.outcome = Outcome::kStopped;
    ended.reason = absl::StrCat("stopped; ", how);
  } else if (of_earlier_boot && (end.lost || EndedByReboot(end.state))) {
    ended.outcome = Outcome::kLost;
    ended.reason = "the machine was restarted while it ran";
  } else if (end.lost) {
    ended.outcome = Outcome::kLost;
    ended.reason = absl::StrCat(how, ": somebody removed it, or the engine lost it");
  } else if (end.state.exit_code == 0) {
    ended.outcome = Outcome::kSucceeded;
    ended.reason = how;
  } else {
    ended.outcome = Outcome::kFailed;
    AddTexts(ended, how);
  }
  if (output_.cut()) absl::StrAppend(&ended.reason, " (output beyond its limit was dropped)");
  if (end.unread) absl::StrAppend(&ended.reason, " (the engine does not give its output)");
  return ended;
}

bool ContainerRun::EndedByReboot(const ContainerState& state) {
  // What ended before this boot ended by itself; an engine that comes up finds the rest dead, and says so with its own
  // time or none.
  struct timespec up;
  clock_gettime(CLOCK_BOOTTIME, &up);
  const absl::Time boot = absl::Now() - absl::DurationFromTimespec(up);
  return state.finished < state.started || state.finished > boot - absl::Seconds(1);
}

void ContainerRun::AddTexts(RunEnded& ended, const std::string& how) const {
  // The texts only explain an end: it is not held up for them.
  std::string failure, errors;
  if (const absl::StatusOr<UniqueFd> fd = OpenBelow(plan_.paths.attempt, "output/failure"); fd.ok()) {
    failure = ReadHead(*fd, kFailureTextChars);
  }
  if (const absl::StatusOr<UniqueFd> fd = OpenBelow(plan_.paths.attempt, "stderr.log"); fd.ok()) {
    errors = ReadTail(*fd, kErrorTailBytes);
  }
  if (!failure.empty()) {
    ended.reason = absl::StrCat("AlgorithmError: ", failure, " (", how, ")");
  } else if (!errors.empty()) {
    ended.reason = absl::StrCat(how, "; stderr ends with:\n", absl::StripAsciiWhitespace(errors));
  } else {
    ended.reason = how;
  }
}

std::string ContainerRun::WithoutSecrets(std::string text) const {
  for (const std::string& secret : secrets_) {
    if (secret.size() >= kShortestSecret) text = absl::StrReplaceAll(text, {{secret, "***"}});
  }
  return text;
}

void ContainerRun::Conclude(RunEnded ended) {
  feeder_.reset();
  if (started_) output_.Finish();
  const bool failed = ended.outcome == Outcome::kFailed || ended.outcome == Outcome::kTimedOut;
  ContainerEnd end;
  end.kept = plan_.options.keep_on_failure() && failed && begun_;
  end.started = started_;
  ended.reason = WithoutSecrets(std::move(ended.reason));
  if (end.kept) absl::StrAppend(&ended.reason, " (the container ", plan_.ContainerName(0), " is kept)");
  end.ended = std::move(ended);
  const absl::Status written = Ask(false, [&](StopSignal*) { return WriteContainerEnd(plan_.paths, end); });
  if (!written.ok()) return;
  const RunId& id = plan_.spec.id;
  environment_.ended(id);
  {
    absl::MutexLock lock(&mutex_);
    has_ended_ = true;
  }
  environment_.listener->OnRunEvent({id, end.ended});
  if (end.kept) return environment_.done(id, false);
  RemoveInputs(plan_);
  environment_.done(id, !RemoveContainers() || doubtful_);
}

void ContainerRun::TellRecorded(const ContainerEnd& end) {
  const RunId& id = plan_.spec.id;
  if (end.started) {
    if (!told_started_) environment_.listener->OnRunEvent({id, *end.started});
    if (!Ask(false, [&](StopSignal*) { return output_.Open(); }).ok()) return;
    output_.Finish();
  }
  environment_.ended(id);
  {
    absl::MutexLock lock(&mutex_);
    has_ended_ = true;
  }
  environment_.listener->OnRunEvent({id, end.ended});
  environment_.done(id, !end.kept);
}

bool ContainerRun::RemoveContainers() {
  bool removed = true;
  for (const std::string& id : ids_) removed = (id.empty() || api_.Remove(id, &detach_).ok()) && removed;
  if (!plan_.network.empty()) removed = removed && api_.RemoveNetwork(plan_.network, &detach_).ok();
  return removed;
}

}  // namespace tuner::executors
