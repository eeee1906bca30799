#include "bench/rpc_load.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"

namespace tuner::bench {
namespace {

constexpr int64_t kHopelessErrors = 2000;

class RepeatedCall : public Dialogue {
 public:
  explicit RepeatedCall(Call call) : call_(std::move(call)) {}
  Call Begin() override { return call_; }
  absl::StatusOr<std::optional<Call>> Next(grpc::ByteBuffer&) override { return std::nullopt; }

 private:
  const Call call_;
};

std::shared_ptr<grpc::Channel> OwnChannel(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else channels to one address share one connection
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
}

std::string Text(const grpc::Status& status) {
  return absl::StrCat("code ", static_cast<int>(status.error_code()), ": ", status.error_message());
}

// One connection and its call under way.
class Connection {
 public:
  Connection(const std::string& endpoint, std::unique_ptr<Dialogue> dialogue)
      : channel_(OwnChannel(endpoint)), stub_(channel_), dialogue_(std::move(dialogue)) {}

  bool Connect(absl::Time until) { return channel_->WaitForConnected(absl::ToChronoTime(until)); }

  void BeginCycle(grpc::CompletionQueue* queue, absl::Time deadline) {
    begun_ = absl::Now();
    Send(dialogue_->Begin(), queue, deadline);
  }

  void Send(const Call& call, grpc::CompletionQueue* queue, absl::Time deadline) {
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_deadline(absl::ToChronoTime(deadline));
    reader_ = stub_.PrepareUnaryCall(context_.get(), call.method, call.request, queue);
    reader_->StartCall();
    answer_.Clear();
    reader_->Finish(&answer_, &status_, this);
  }

  // The call has ended: the next one of the cycle, or nullopt.
  absl::StatusOr<std::optional<Call>> Next() {
    if (!status_.ok()) return absl::UnavailableError(Text(status_));
    return dialogue_->Next(answer_);
  }

  absl::Time begun() const { return begun_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  std::unique_ptr<Dialogue> dialogue_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  absl::Time begun_;
};

absl::Duration Quantile(std::vector<absl::Duration>& sorted, double q) {
  return sorted.empty() ? absl::ZeroDuration() : sorted[static_cast<size_t>(q * (sorted.size() - 1))];
}

}  // namespace

std::unique_ptr<Dialogue> Repeat(Call call) { return std::make_unique<RepeatedCall>(std::move(call)); }

absl::StatusOr<LoadResult> RunLoad(const Load& load) {
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < load.connections; ++i) {
    connections.push_back(std::make_unique<Connection>(load.endpoint, load.make_dialogue(i)));
    if (!connections.back()->Connect(absl::Now() + absl::Seconds(20))) {
      return absl::UnavailableError(absl::StrCat("no connection to ", load.endpoint));
    }
  }
  grpc::CompletionQueue queue;
  LoadResult result;
  std::vector<absl::Duration> latencies;
  const absl::Time begin = absl::Now();
  const absl::Time end = begin + load.duration;
  const absl::Time deadline = end + absl::Seconds(60);  // of each call: slow is not wrong
  for (auto& connection : connections) connection->BeginCycle(&queue, deadline);

  int under_way = load.connections;
  void* tag = nullptr;
  bool ok = false;
  while (under_way > 0 && queue.Next(&tag, &ok)) {
    auto* connection = static_cast<Connection*>(tag);
    const absl::Time now = absl::Now();
    const bool over = now >= end;
    ++result.calls;
    auto next = connection->Next();
    if (!next.ok()) {
      if (++result.errors == 1) result.first_error = next.status().ToString();
    } else if (!next->has_value() && !over) {
      ++result.cycles;
      latencies.push_back(now - connection->begun());
      if (now < begin + load.duration / 2) ++result.first_half;
    }
    if (over || result.errors > kHopelessErrors + result.cycles) {
      --under_way;
    } else if (next.ok() && next->has_value()) {
      connection->Send(**next, &queue, deadline);
    } else {
      connection->BeginCycle(&queue, deadline);
    }
  }
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (result.cycles == 0) {
    return absl::UnavailableError(
        absl::StrCat("not one cycle was done; ", result.errors, " errors, the first: ", result.first_error));
  }
  result.elapsed = std::min(load.duration, absl::Now() - begin);
  std::sort(latencies.begin(), latencies.end());
  result.cycle_p50 = Quantile(latencies, 0.5);
  result.cycle_p99 = Quantile(latencies, 0.99);
  return result;
}

absl::StatusOr<grpc::ByteBuffer> CallOnce(const std::string& endpoint, const Call& call) {
  auto channel = OwnChannel(endpoint);
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
  context.set_wait_for_ready(true);
  grpc::CompletionQueue queue;
  auto reader = stub.PrepareUnaryCall(&context, call.method, call.request, &queue);
  grpc::ByteBuffer answer;
  grpc::Status status;
  reader->StartCall();
  reader->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (!status.ok()) return absl::UnavailableError(absl::StrCat(call.method, ": ", Text(status)));
  return answer;
}

}  // namespace tuner::bench
