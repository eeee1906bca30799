#include "tuner/server/streams.h"

namespace tuner::server {

void StreamRegistry::Add(const std::shared_ptr<ClosableStream>& stream) {
  {
    absl::MutexLock lock(&mutex_);
    if (!closed_) {
      streams_.emplace(stream.get(), stream);
      return;
    }
  }
  stream->Close();
}

void StreamRegistry::Remove(const ClosableStream* stream) {
  absl::MutexLock lock(&mutex_);
  streams_.erase(stream);
}

void StreamRegistry::CloseAll() {
  std::vector<std::shared_ptr<ClosableStream>> open;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    for (const auto& [pointer, stream] : streams_) {
      if (std::shared_ptr<ClosableStream> alive = stream.lock()) open.push_back(std::move(alive));
    }
  }
  for (const std::shared_ptr<ClosableStream>& stream : open) stream->Close();
}

}  // namespace tuner::server
