// A stop is orderly whatever is asked meanwhile.
#include <atomic>
#include <thread>
#include <vector>

#include "service_world.h"

namespace stock {
namespace {

class ServiceStoppingTest : public ServiceTest {};

// Its questions go over a channel within the process, to a server that has to be there.
TEST_F(ServiceStoppingTest, the_console_may_ask_until_the_end_and_machines_too) {
  for (int round = 0; round < 5; ++round) {
    StockdProcess stockd(all_layers());
    std::atomic<bool> over{false};
    std::atomic<int> answered{0};
    std::vector<std::thread> browsers;
    for (const char* path : {"/console/api/ListLayers", "/console/api/ListIncidents",
                             "/console/api/ExplainStockLevel?sku=A", "/metrics", "/readyz"}) {
      browsers.emplace_back([&, path] {
        while (!over) answered += stockd.get(path).status == 200 ? 1 : 0;
      });
    }
    EXPECT_TRUE(eventually([&] { return answered.load(); }, Ge(20)));
    EXPECT_EQ(stockd.stop(), 0);
    over = true;
    for (std::thread& browser : browsers) browser.join();
  }
}

}  // namespace
}  // namespace stock
