#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "google/protobuf/text_format.h"
#include "stockctl/view/layer_view.h"

namespace stockctl {
namespace {

using stock::v1::ListLayersResponse;
using ::testing::HasSubstr;

ListLayersResponse parse(const std::string& text) {
  ListLayersResponse message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

constexpr const char* kLayers = R"pb(
  instance: "stockd-1"
  observed { seconds: 7500 }
  layers {
    setting { layer: LAYER_MEMORY enabled: true repair_policy: REPAIR_POLICY_OFF }
    up: true
    gains {
      keys_asked: 1230
      keys_hit: 1204
      hit_ratio: 0.9819
      answers: 1204
      answer_share: 0.9328
      read_time_p50 { nanos: 4000 }
      latency_saved { seconds: 1 nanos: 200000000 }
      database_reads_saved: 1204
    }
    costs {
      examined: 1000
      diverged: 2
      diverged_per_million: 2000
      divergent_keys: 1
      age_p50 { nanos: 12000000 }
      age_p99 { nanos: 25000000 }
      nines {
        window {}
        nines: 2.6989
      }
      nines {
        window { seconds: 60 }
        nines: 3.301
      }
      open_incidents: 1
      incidents_per_million_answers: 1661.2
      unit_seconds: 1234.4
    }
  }
  layers {
    setting {
      layer: LAYER_REDIS
      enabled: false
      switched {
        time { seconds: 1795486029 }
        actor: "ana@desk"
        reason: "it lies"
      }
      repair_policy: REPAIR_POLICY_DROP
      repair_policy_set {
        time { seconds: 1795486030 }
        actor: "bob"
      }
    }
    up: true
    gains {}
    costs {
      nines { window {} }
      nines { window { seconds: 60 } }
    }
  }
  layers {
    setting { layer: LAYER_PRIMARY enabled: true repair_policy: REPAIR_POLICY_OFF }
    up: false
    gains { keys_asked: 87 keys_hit: 87 hit_ratio: 1 answers: 87 answer_share: 0.0672 }
    costs {
      examined: 1000
      diverged_per_million: 0
      nines {
        window {}
        nines: 3.301
      }
      nines {
        window { seconds: 60 }
        nines: 3.301
      }
      incidents_per_million_answers: 0
    }
  })pb";

TEST(StockctlLayerView, says_what_each_layer_gains_what_it_costs_and_what_is_set) {
  std::ostringstream out;
  print_layers(out, parse(kLayers), {.color = false, .width = 80});
  EXPECT_EQ(out.str(),
            "stockd-1, counting for 2 h 5 min\n"
            "\n"
            "GAINS    STATE  ANSWERS  SHARE   HITS  READ P50  SAVED  DB READS SAVED\n"
            "memory   on       1,204  93.2%  98.1%      4 µs  1.2 s           1,204\n"
            "redis    off          0   0.0%      -         -      -               0\n"
            "primary  down        87   6.7%   100%         -      -               0\n"
            "\n"
            "COSTS    EXAMINED  WRONG  PER MILLION  WRONG NOW  AGE P50  AGE P99\n"
            "memory      1,000      2        2,000          1    12 ms    25 ms\n"
            "redis           0      0            -          0        -        -\n"
            "primary     1,000      0            0          0        -        -\n"
            "\n"
            "NINES IN  0 s  1 min  INCIDENTS  PER MILLION  UNIT-SECONDS\n"
            "memory    2.7    3.3          1        1,661         1,234\n"
            "redis       -      -          0            -             0\n"
            "primary   3.3    3.3          0            0             0\n"
            "\n"
            "redis is off since 2026-11-24 02:07:09 UTC, by ana@desk: it lies\n"
            "lies found in redis are dropped since 2026-11-24 02:07:10 UTC, by bob\n");
}

TEST(StockctlLayerView, what_somebody_wrote_does_not_steer_the_terminal) {
  ListLayersResponse response = parse(kLayers);
  response.mutable_layers(1)->mutable_setting()->mutable_switched()->set_reason("\x1b[2Jgone");
  std::ostringstream out;
  print_layers(out, response, {});
  EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
  EXPECT_THAT(out.str(), HasSubstr("[2Jgone"));
}

// In 10 s: memory was asked for 1,000 keys and had 900; redis had 80 of the 100 left; the replica
// 18 of 20, the primary the last 2.
constexpr const char* kBefore = R"pb(
  observed { seconds: 100 }
  layers {
    setting { layer: LAYER_MEMORY enabled: true }
    gains {}
  }
  layers {
    setting { layer: LAYER_REDIS enabled: true }
    gains {}
  }
  layers {
    setting { layer: LAYER_REPLICA enabled: true }
    gains {}
  }
  layers {
    setting { layer: LAYER_PRIMARY enabled: true }
    gains {}
  })pb";
constexpr const char* kAfter = R"pb(
  instance: "stockd-1"
  observed { seconds: 110 }
  layers {
    setting { layer: LAYER_MEMORY enabled: true }
    gains { keys_asked: 1000 keys_hit: 900 }
  }
  layers {
    setting { layer: LAYER_REDIS enabled: true }
    gains { keys_asked: 100 keys_hit: 80 }
  }
  layers {
    setting { layer: LAYER_REPLICA enabled: true }
    gains { keys_asked: 20 keys_hit: 18 }
  }
  layers {
    setting { layer: LAYER_PRIMARY enabled: true }
    gains { keys_asked: 2 keys_hit: 2 }
  })pb";

std::string what_if(stock::v1::Layer without, const std::string& after = kAfter) {
  std::ostringstream out;
  print_what_if(out, parse(kBefore), parse(after), without, {});
  return out.str();
}

TEST(StockctlWhatIf, the_hits_of_a_layer_go_on_to_those_behind_it) {
  EXPECT_EQ(what_if(stock::v1::LAYER_MEMORY),
            "stockd-1 without memory, estimated from 10 s of its traffic\n"
            "\n"
            "LAYER    KEYS/S NOW  KEYS/S THEN\n"
            "memory          100            0\n"
            "redis            10          100\n"  // 10 + 90
            "replica           2           20\n"  // 2 + 90 * 0.2
            "primary           0            2\n"  // 0.2 + 18 * 0.1
            "\n"
            "At worst, when no copy behind it helps, the replica is asked for 92 keys/s.\n");
  EXPECT_THAT(what_if(stock::v1::LAYER_REPLICA),
              HasSubstr("primary           0            2\n\nAt worst, when no copy behind it "
                        "helps, the primary is asked for 2 keys/s.\n"));
}

TEST(StockctlWhatIf, a_layer_that_is_off_helps_nobody) {
  std::string after = kAfter;
  const std::string redis = "layer: LAYER_REDIS enabled: true";
  after.replace(after.find(redis), redis.size(), "layer: LAYER_REDIS enabled: false");
  EXPECT_THAT(what_if(stock::v1::LAYER_MEMORY, after),
              HasSubstr("redis            10            0\nreplica           2           92\n"));
}

TEST(StockctlWhatIf, without_traffic_there_is_nothing_to_estimate) {
  EXPECT_THAT(what_if(stock::v1::LAYER_REDIS, kBefore),
              HasSubstr("redis answered nothing in this time.\n"));
}

TEST(StockctlLayerView, words_name_layers_and_policies) {
  EXPECT_EQ(layer_named("redis"), stock::v1::LAYER_REDIS);
  EXPECT_EQ(layer_named("Redis"), std::nullopt);
  EXPECT_EQ(policy_named("drop"), stock::v1::REPAIR_POLICY_DROP);
  EXPECT_EQ(policy_named("?"), std::nullopt);
}

}  // namespace
}  // namespace stockctl
