#include "tuner/server/in_process.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/support/client_interceptor.h"

namespace tuner::server {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

class TokenAdder final : public Interceptor {
 public:
  explicit TokenAdder(const std::string& value) : value_(value) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      std::multimap<std::string, std::string>& metadata = *methods->GetSendInitialMetadata();
      if (metadata.find("authorization") == metadata.end()) metadata.emplace("authorization", value_);
    }
    methods->Proceed();
  }

 private:
  const std::string& value_;  // of the factory, which the channel keeps
};

class TokenAdderFactory final : public ClientInterceptorFactoryInterface {
 public:
  explicit TokenAdderFactory(std::string value) : value_(std::move(value)) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo* /*info*/) override { return new TokenAdder(value_); }  // gRPC's

 private:
  const std::string value_;
};

}  // namespace

std::shared_ptr<grpc::Channel> InProcessChannel(grpc::Server& server, const std::string& token) {
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<TokenAdderFactory>(absl::StrCat("Bearer ", token)));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return server.experimental().InProcessChannelWithInterceptors(arguments, std::move(factories));
}

}  // namespace tuner::server
