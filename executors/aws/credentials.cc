#include "executors/aws/credentials.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "executors/aws/credential_sources.h"

namespace tuner::executors::aws {
namespace {

constexpr absl::Duration kRefreshAhead = absl::Minutes(5);
constexpr absl::Duration kRefreshAgain =
    absl::Minutes(1);  // after an error, or for credentials that hold no longer than that

class StaticCredentials : public CredentialsProvider {
 public:
  explicit StaticCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  absl::StatusOr<Credentials> Get(StopSignal*) override { return credentials_; }
  void Refuse(absl::string_view) override {}

 private:
  const Credentials credentials_;
};

}  // namespace

std::unique_ptr<CredentialsProvider> MakeStaticCredentials(Credentials credentials) {
  return std::make_unique<StaticCredentials>(std::move(credentials));
}

CachingCredentials::CachingCredentials(std::vector<CredentialsSource> sources, core::Clock& clock)
    : sources_(std::move(sources)), clock_(clock) {}

bool CachingCredentials::Hold(absl::Time now) const {
  return !current_.access_key_id.empty() && now < current_.expires;
}

absl::StatusOr<Credentials> CachingCredentials::Get(StopSignal* stop) {
  const absl::Time now = clock_.Now();
  {
    absl::MutexLock lock(&mutex_);
    if (Hold(now) && (refreshing_ || now < refresh_at_)) return current_;
    if (!refreshing_) {
      refreshing_ = true;
      mutex_.Unlock();
      absl::StatusOr<Credentials> fetched = Fetch(stop);
      mutex_.Lock();
      return Install(std::move(fetched));
    }
  }
  return AwaitRefresh(stop);
}

// Another thread refreshes, and nothing holds meanwhile.
absl::StatusOr<Credentials> CachingCredentials::AwaitRefresh(StopSignal* stop) {
  // The signal calls under its own lock, so it is asked without this one.
  bool stopped = false;
  const uint64_t wake = stop == nullptr ? 0 : stop->Add([&] {
    absl::MutexLock lock(&mutex_);
    stopped = true;
  });
  bool cancelled = false;
  absl::Status refresh;
  {
    absl::MutexLock lock(&mutex_);
    const uint64_t seen = refreshes_;
    const auto is_over = [&] {
      mutex_.AssertReaderHeld();
      return stopped || !refreshing_ || refreshes_ != seen;
    };
    mutex_.Await(absl::Condition(&is_over));
    cancelled = stopped;
    // Of the thread that was given up nothing is to be learned.
    if (refreshes_ != seen && !absl::IsCancelled(last_refresh_)) refresh = last_refresh_;
  }
  if (stop != nullptr) stop->Remove(wake);
  if (cancelled) return absl::CancelledError("AWS credentials: the wait for them was given up");
  if (!refresh.ok()) return refresh;
  return Get(stop);
}

absl::StatusOr<Credentials> CachingCredentials::Install(absl::StatusOr<Credentials> fetched) {
  const absl::Time now = clock_.Now();
  refreshing_ = false;
  ++refreshes_;
  last_refresh_ = fetched.status();
  if (fetched.ok()) {
    current_ = *std::move(fetched);
    refresh_at_ =
        std::max(current_.expires - kRefreshAhead, now + std::min(kRefreshAgain, (current_.expires - now) / 2));
    return current_;
  }
  if (!Hold(now)) return fetched;
  refresh_at_ = now + kRefreshAgain;
  return current_;
}

absl::StatusOr<Credentials> CachingCredentials::Fetch(StopSignal* stop) const {
  std::vector<std::string> tried;
  for (const CredentialsSource& source : sources_) {
    absl::StatusOr<Credentials> found = source.fetch(stop);
    if (found.ok() || !absl::IsNotFound(found.status())) return found;
    tried.push_back(absl::StrCat(source.name, " (", found.status().message(), ")"));
  }
  return absl::UnauthenticatedError(
      absl::StrCat("no AWS credentials; looked in ", absl::StrJoin(tried, ", "),
                   ". Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials"));
}

void CachingCredentials::Refuse(absl::string_view access_key_id) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  if (current_.access_key_id == access_key_id) current_.expires = std::min(current_.expires, now);
}

std::unique_ptr<CredentialsProvider> MakeDefaultCredentials(const Configuration& configuration, HttpClient& http,
                                                            core::Clock& clock, std::string region) {
  return std::make_unique<CachingCredentials>(DefaultSources({configuration, std::move(region), http, clock}), clock);
}

}  // namespace tuner::executors::aws
