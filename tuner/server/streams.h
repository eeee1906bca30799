// Server streams that are fed from the pool, each at its own client's pace.
//
// A stream is in one of four places: producing (a task in the pool reads what is to be sent), writing (gRPC sends it),
// idle (nothing to send; Wake goes on) and finished. Only what is in one of the first two moves it on, so there is
// never more than one task or write under way, and a slow client costs the messages of one Produce and no thread.
//
// Threads: Wake and Close from any thread; Produce runs in the pool, never twice at once. Ownership: a stream owns
// itself until gRPC is done with it.
#pragma once

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "tuner/server/status.h"
#include "tuner/server/work_pool.h"

namespace tuner::server {

class ClosableStream {
 public:
  virtual ~ClosableStream() = default;
  // Ends the stream with UNAVAILABLE, soon.
  virtual void Close() = 0;
};

// The streams of a service, so that a server which shuts down can end them.
class StreamRegistry {
 public:
  // A stream that comes after CloseAll is closed at once.
  void Add(const std::shared_ptr<ClosableStream>& stream);
  void Remove(const ClosableStream* stream);
  void CloseAll();

 private:
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<const ClosableStream*, std::weak_ptr<ClosableStream>> streams_ ABSL_GUARDED_BY(mutex_);
};

template <typename Response>
class PumpedStream : public grpc::ServerWriteReactor<Response>,
                     public ClosableStream,
                     public std::enable_shared_from_this<PumpedStream<Response>> {
 public:
  PumpedStream(WorkPool& pool, StreamRegistry& registry) : pool_(pool), registry_(registry) {}

  // Starts a stream that was made as a shared_ptr. Returns what gRPC wants of a handler.
  grpc::ServerWriteReactor<Response>* Begin() {
    self_ = this->shared_from_this();
    registry_.Add(self_);
    Post();
    return this;
  }

  // Something may have come that is to be sent.
  void Wake() {
    {
      absl::MutexLock lock(&mutex_);
      woken_ = true;
      if (place_ != Place::kIdle) return;
      place_ = Place::kProducing;
    }
    Post();
  }

  void Close() final { End(absl::UnavailableError("the server is shutting down; try again when it is back")); }

 protected:
  struct Produced {
    std::vector<Response> messages;
    bool done = false;  // after these messages the stream ends with `status`
    absl::Status status;
  };
  // Reads what comes next; no messages and not done: sleep until Wake.
  virtual Produced Produce() = 0;
  // gRPC is done with the stream: gives back what must not outlive the service. The stream itself may live on for a
  // moment, in a task or timer that holds it.
  virtual void Ended() {}

 private:
  enum class Place { kProducing, kWriting, kIdle, kFinished };

  void OnWriteDone(bool ok) final {
    {
      absl::MutexLock lock(&mutex_);
      queue_.pop_front();
      if (!ok && !ending_) SetEnd(absl::CancelledError("the client left"));
    }
    Advance();
  }
  void OnCancel() final { End(absl::CancelledError("the client left")); }
  void OnDone() final {
    registry_.Remove(this);
    Ended();
    const std::shared_ptr<PumpedStream> last = std::move(self_);
  }

  // Ends the stream as soon as the task or write under way is over.
  void End(absl::Status status) {
    {
      absl::MutexLock lock(&mutex_);
      if (place_ == Place::kFinished) return;
      if (!ending_) SetEnd(std::move(status));
      queue_.resize(place_ == Place::kWriting ? 1 : 0);  // the message that gRPC is sending stays
      if (place_ != Place::kIdle) return;
      place_ = Place::kFinished;
      status = end_status_;
    }
    this->Finish(ToGrpc(status));
  }
  void SetEnd(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ending_ = true;
    end_status_ = std::move(status);
  }

  void Post() {
    pool_.MustRun([self = this->shared_from_this()] { self->Run(); });
  }

  void Run() {
    bool produce = true;
    {
      absl::MutexLock lock(&mutex_);
      woken_ = false;
      if (ending_) produce = false;
    }
    Produced produced = produce ? Produce() : Produced();
    {
      absl::MutexLock lock(&mutex_);
      if (!ending_) {
        for (Response& message : produced.messages) queue_.push_back(std::move(message));
        if (produced.done) SetEnd(std::move(produced.status));
        if (produced.messages.empty() && !produced.done && !woken_) {
          place_ = Place::kIdle;
          return;
        }
      }
    }
    Advance();
  }

  // With a task or write just over: the next write, the end, or the next task. gRPC is called without the lock, as it
  // may call back.
  void Advance() {
    const Response* next = nullptr;
    bool finish = false;
    absl::Status status;
    {
      absl::MutexLock lock(&mutex_);
      if (!queue_.empty()) {
        place_ = Place::kWriting;
        next = &queue_.front();
      } else if (ending_) {
        place_ = Place::kFinished;
        finish = true;
        status = end_status_;
      } else {
        place_ = Place::kProducing;
      }
    }
    if (next != nullptr) {
      this->StartWrite(next);
    } else if (finish) {
      this->Finish(ToGrpc(status));
    } else {
      Post();
    }
  }

  WorkPool& pool_;
  StreamRegistry& registry_;
  std::shared_ptr<PumpedStream> self_;  // from Begin to OnDone

  absl::Mutex mutex_;
  Place place_ ABSL_GUARDED_BY(mutex_) = Place::kProducing;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mutex_);
  std::deque<Response> queue_ ABSL_GUARDED_BY(mutex_);  // the first one is being written in kWriting
};

// A stream that only says why there is none.
template <typename Response>
class RefusedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const absl::Status& status) { this->Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace tuner::server
