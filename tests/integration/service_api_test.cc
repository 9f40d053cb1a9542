// The API as its documents describe it, on one stockd with the primary alone.
#include <thread>
#include <utility>

#include "service_world.h"

namespace stock {
namespace {

class ServiceApiTest : public ServiceTest {
 protected:
  static void SetUpTestSuite() {
    ServiceTest::SetUpTestSuite();
    stockd_ = std::make_unique<StockdProcess>(primary_only());
    client_ = std::make_unique<StockClient>(stockd_->address());
    client_->create_location("main", "Main");
    client_->create_location("north", "North");
  }
  static void TearDownTestSuite() {
    client_.reset();
    stockd_.reset();
    ServiceTest::TearDownTestSuite();
  }
  static StockClient& client() { return *client_; }
  static StockdProcess& stockd() { return *stockd_; }

  static v1::SetStockRequest set_request(const std::string& sku, std::int64_t on_hand) {
    v1::SetStockRequest request;
    request.mutable_key()->set_sku(sku);
    request.mutable_key()->set_location("main");
    request.set_on_hand(on_hand);
    return request;
  }
  static std::int64_t on_hand(const std::string& sku, const std::string& location = "main") {
    return client().get(sku, location, fully_consistent()).response.level().counts().on_hand();
  }

 private:
  static inline std::unique_ptr<StockdProcess> stockd_;
  static inline std::unique_ptr<StockClient> client_;
};

constexpr const char* kId = "3f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e1";

TEST_F(ServiceApiTest, a_repeated_request_is_answered_again_and_applied_once) {
  const auto first = client().adjust("twice", "main", 5, std::string(kId) + "1");
  const auto second = client().adjust("twice", "main", 5, std::string(kId) + "1");
  ASSERT_TRUE(first.ok() && second.ok()) << second.message;
  EXPECT_FALSE(first.response.replayed());
  EXPECT_TRUE(second.response.replayed());
  EXPECT_EQ(second.response.levels(0).counts().on_hand(), 5);
  EXPECT_EQ(on_hand("twice"), 5);

  const auto reused = client().adjust("twice", "main", 6, std::string(kId) + "1");
  EXPECT_EQ(reused.code, kInvalidArgument);
  EXPECT_EQ(reused.reason, "REQUEST_ID_REUSED");
}

TEST_F(ServiceApiTest, an_id_is_the_same_however_it_is_spelt) {
  ASSERT_TRUE(client().adjust("spelt", "main", 5).ok());
  const std::string id = "3f2b0c9e-7c1d-4f6a-9a54-0d6c4d1f2e0a";
  const std::string loud = "3F2B0C9E-7C1D-4F6A-9A54-0D6C4D1F2E0A";
  v1::CreateReservationRequest create;
  create.set_reservation_id(id);
  create.mutable_context()->set_request_id(loud);
  auto& line = *create.add_lines();
  line.mutable_key()->set_sku("spelt");
  line.mutable_key()->set_location("main");
  line.set_quantity(2);
  create.mutable_ttl()->set_seconds(60);
  const auto held = client().reserve(create);
  ASSERT_TRUE(held.ok()) << held.message;
  EXPECT_EQ(held.response.reservation().id(), id);
  create.set_reservation_id(loud);
  create.mutable_context()->clear_request_id();
  EXPECT_TRUE(client().reserve(create).response.replayed());
  create.mutable_context()->set_request_id(std::string(kId) + "0");
  EXPECT_EQ(client().reserve(create).code, kInvalidArgument);

  v1::CommitReservationRequest commit;
  commit.mutable_context()->set_request_id(std::string(kId) + "b");
  commit.set_reservation_id(loud);
  const auto sold = client().commit(commit);
  ASSERT_TRUE(sold.ok()) << sold.message;
  commit.set_reservation_id(id);
  const auto again = client().commit(commit);
  EXPECT_TRUE(again.response.replayed()) << again.message;
}

TEST_F(ServiceApiTest, a_refused_request_may_be_tried_again_with_its_id) {
  const std::string id = std::string(kId) + "2";
  const auto refused = client().adjust("again", "main", -3, id);
  EXPECT_EQ(refused.code, kFailedPrecondition);
  EXPECT_EQ(refused.reason, "INSUFFICIENT_STOCK");
  ASSERT_TRUE(client().adjust("again", "main", 3).ok());
  EXPECT_TRUE(client().adjust("again", "main", -3, id).ok());
}

TEST_F(ServiceApiTest, several_lines_happen_together_or_not_at_all) {
  ASSERT_TRUE(client().adjust("one", "main", 10).ok());
  v1::AdjustStockRequest request;
  for (const auto& [sku, delta] : std::map<std::string, int>{{"one", -10}, {"two", -1}}) {
    auto& line = *request.add_lines();
    line.mutable_key()->set_sku(sku);
    line.mutable_key()->set_location("main");
    line.set_on_hand_delta(delta);
  }
  const auto refused = client().adjust(request);
  EXPECT_EQ(refused.reason, "INSUFFICIENT_STOCK");
  google::rpc::PreconditionFailure failure;
  bool told = false;
  for (const auto& detail : refused.details.details()) told = told || detail.UnpackTo(&failure);
  ASSERT_TRUE(told);
  ASSERT_EQ(failure.violations_size(), 1);
  EXPECT_EQ(failure.violations(0).subject(), "two@main");
  EXPECT_EQ(on_hand("one"), 10);
}

TEST_F(ServiceApiTest, set_stock_compares_before_it_sets) {
  auto request = set_request("counted", 20);
  request.set_expected_version(0);
  ASSERT_TRUE(client().set(request).ok());
  EXPECT_EQ(client().set(request).code, kAborted);
  request.set_expected_on_hand(19);
  EXPECT_EQ(client().set(request).reason, "COMPARE_FAILED");
  request.set_expected_on_hand(20);
  request.set_on_hand(25);
  EXPECT_EQ(client().set(request).response.level().version(), 2);
}

TEST_F(ServiceApiTest, an_unknown_location_is_named) {
  const auto write = client().adjust("x", "atlantis", 1);
  EXPECT_EQ(write.code, kNotFound);
  EXPECT_EQ(write.reason, "LOCATION_NOT_FOUND");
  EXPECT_EQ(client().location("atlantis").code, kNotFound);
  EXPECT_EQ(client().location("north").response.location().display_name(), "North");
  EXPECT_EQ(client().create_location("north", "Other").code, kAlreadyExists);
  EXPECT_TRUE(client().create_location("north", "North").ok());
}

TEST_F(ServiceApiTest, malformed_requests_name_the_field) {
  EXPECT_THAT(client().get("", "main").message, HasSubstr("key.sku"));
  EXPECT_THAT(client().get(std::string(65, 'x'), "main").message, HasSubstr("key.sku"));
  EXPECT_THAT(client().get("a\tb", "main").message, HasSubstr("control characters"));
  EXPECT_EQ(client().get("x", "main", at_most(0ms)).code, kInvalidArgument);
  EXPECT_EQ(client().get("x", "main", at_most(2h)).code, kInvalidArgument);
  EXPECT_EQ(client().batch({}).code, kInvalidArgument);
  EXPECT_EQ(client().adjust("x", "main", 0).code, kInvalidArgument);
  EXPECT_THAT(client().adjust("x", "main", 1, "not-a-uuid").message, HasSubstr("request_id"));
  EXPECT_EQ(client().set(set_request("x", -1)).code, kInvalidArgument);
  v1::ListStockLevelsRequest list;
  list.set_page_token("garbage");
  EXPECT_THAT(client().list(list).message, HasSubstr("page_token"));
  list.clear_page_token();
  list.set_page_size(1001);
  EXPECT_EQ(client().list(list).code, kInvalidArgument);
}

TEST_F(ServiceApiTest, names_that_sql_and_arrays_could_trip_over_are_just_names) {
  for (const std::string sku : {"BANK CHARGES", "gift_0001_40", "O'Brien", "a\\b", "{x,y}", "\"q\"",
                                "NULL", "größe", "日本", ";DROP TABLE", "%", "$1"}) {
    ASSERT_TRUE(client().adjust(sku, "main", 2).ok()) << sku;
    const auto read = client().get(sku, "main", fully_consistent());
    EXPECT_EQ(read.response.level().key().sku(), sku);
    EXPECT_EQ(read.response.level().counts().on_hand(), 2) << sku;
  }
}

TEST_F(ServiceApiTest, direct_sql_becomes_a_movement_with_a_name_on_it) {
  ASSERT_TRUE(client().adjust("rogue", "main", 120).ok());
  primary().connect().exec(
      "SET application_name = 'psql at 2 a.m.'; UPDATE stock.level SET on_hand = 42 WHERE sku = "
      "'rogue'");
  const auto read = client().get("rogue", "main", fully_consistent());
  EXPECT_EQ(read.response.level().counts().on_hand(), 42);
  EXPECT_EQ(read.response.level().version(), 2);
  v1::ListStockMovementsRequest request;
  *request.mutable_key() = read.response.level().key();
  *request.mutable_consistency() = fully_consistent();
  const auto history = client().history(request);
  ASSERT_EQ(history.response.movements_size(), 2);
  EXPECT_EQ(history.response.movements(0).kind(), v1::MOVEMENT_KIND_DIRECT);
  EXPECT_EQ(history.response.movements(0).actor(), "postgres (psql at 2 a.m.)");
  EXPECT_EQ(history.response.movements(0).delta().on_hand(), -78);
}

TEST_F(ServiceApiTest, a_batch_answers_in_the_order_asked_and_unknown_keys_do_not_fail_it) {
  ASSERT_TRUE(client().adjust("b1", "main", 1).ok());
  v1::BatchGetStockLevelsRequest request;
  for (const std::string sku : {"b1", "unknown", "b1"}) {
    auto& key = *request.add_keys();
    key.set_sku(sku);
    key.set_location("main");
  }
  *request.mutable_consistency() = fully_consistent();
  const auto batch = client().batch(request);
  ASSERT_EQ(batch.response.levels_size(), 3);
  EXPECT_TRUE(batch.response.levels(0).exists());
  EXPECT_FALSE(batch.response.levels(1).exists());
  EXPECT_EQ(batch.response.levels(2).counts().on_hand(), 1);
  EXPECT_EQ(batch.response.provenance().trail(0).keys(), 2);
}

TEST_F(ServiceApiTest, each_level_of_a_batch_has_the_key_asked_for_and_the_dates_of_its_layer) {
  ASSERT_TRUE(client().adjust("kept", "main", 1).ok());
  ASSERT_TRUE(
      eventually([] { return client().get("kept", "main").response.level().provenance().layer(); },
                 ::testing::Eq(v1::LAYER_MEMORY)));
  primary().connect().exec("INSERT INTO stock.level (sku, location) VALUES ('unread', 'main')");
  v1::BatchGetStockLevelsRequest request;
  for (const std::string sku : {"kept", "unread", "kept"}) {
    v1::Key& key = *request.add_keys();
    key.set_sku(sku);
    key.set_location("main");
    v1::Key::GetReflection()->MutableUnknownFields(&key)->AddVarint(1000, 1);
  }
  const auto batch = client().batch(request);
  ASSERT_EQ(batch.response.levels_size(), 3) << batch.message;
  const auto dates = [&](int i) -> const v1::LevelProvenance& {
    return batch.response.levels(i).provenance();
  };
  const auto instant = [](const auto& time) { return std::pair(time.seconds(), time.nanos()); };
  for (int i = 0; i < 3; ++i) {
    v1::Key asked = request.keys(i);
    asked.DiscardUnknownFields();
    EXPECT_EQ(batch.response.levels(i).key().SerializeAsString(), asked.SerializeAsString()) << i;
    EXPECT_EQ(dates(i).layer(), i == 1 ? v1::LAYER_PRIMARY : v1::LAYER_MEMORY) << i;
  }
  // The database tells of now, and memory through what the feed has heard last.
  EXPECT_LT(instant(dates(0).true_through()), instant(dates(1).true_through()));
  EXPECT_GT(instant(dates(0).age()), instant(dates(1).age()));
  EXPECT_EQ(instant(dates(2).true_through()), instant(dates(0).true_through()));
  EXPECT_EQ(instant(dates(2).age()), instant(dates(0).age()));
}

TEST_F(ServiceApiTest, totals_add_up_all_locations_or_some) {
  ASSERT_TRUE(client().adjust("sum", "main", 5).ok());
  ASSERT_TRUE(client().adjust("sum", "north", 7).ok());
  v1::BatchGetStockTotalsRequest request;
  request.add_skus("sum");
  *request.mutable_consistency() = fully_consistent();
  const auto all = client().totals(request);
  ASSERT_TRUE(all.ok()) << all.message;
  EXPECT_EQ(all.response.totals(0).counts().on_hand(), 12);
  EXPECT_EQ(all.response.totals(0).locations(), 2);
  request.add_locations("north");
  EXPECT_EQ(client().totals(request).response.totals(0).counts().available(), 7);
}

TEST_F(ServiceApiTest, a_location_that_was_just_made_counts_in_a_fully_consistent_total) {
  ASSERT_TRUE(client().create_location("late", "Late").ok());
  ASSERT_TRUE(client().adjust("latesku", "late", 4).ok());
  v1::BatchGetStockTotalsRequest request;
  request.add_skus("latesku");
  *request.mutable_consistency() = fully_consistent();
  EXPECT_EQ(client().totals(request).response.totals(0).counts().on_hand(), 4);
}

TEST_F(ServiceApiTest, a_cart_is_told_what_is_short) {
  ASSERT_TRUE(client().adjust("cart", "main", 5).ok());
  ASSERT_TRUE(client().adjust("cart", "north", 2).ok());
  v1::CheckAvailabilityRequest request;
  const auto add = [&](const std::string& location, std::int64_t quantity) {
    auto& line = *request.add_lines();
    line.set_sku("cart");
    line.set_location(location);
    line.set_quantity(quantity);
  };
  add("main", 4);
  add("", 4);  // wherever it is: 1 left here, 2 there
  *request.mutable_consistency() = fully_consistent();
  const auto check = client().check(request);
  ASSERT_TRUE(check.ok()) << check.message;
  EXPECT_FALSE(check.response.available());
  EXPECT_EQ(check.response.lines(0).shortfall(), 0);
  EXPECT_EQ(check.response.lines(1).available(), 3);
  EXPECT_EQ(check.response.lines(1).shortfall(), 1);
}

TEST_F(ServiceApiTest, lists_are_paged_to_the_end_and_tokens_belong_to_their_query) {
  for (int i = 0; i < 7; ++i)
    ASSERT_TRUE(client().adjust("page" + std::to_string(i), "north", 1).ok());
  v1::ListStockLevelsRequest request;
  request.set_location("north");
  request.set_sku_prefix("page");
  request.set_page_size(3);
  *request.mutable_consistency() = fully_consistent();
  std::vector<std::string> skus;
  std::string token;
  do {
    request.set_page_token(token);
    const auto page = client().list(request);
    ASSERT_TRUE(page.ok()) << page.message;
    for (const auto& level : page.response.levels()) skus.push_back(level.key().sku());
    token = page.response.next_page_token();
    if (!token.empty()) {
      v1::ListStockLevelsRequest other = request;
      other.set_page_token(token);
      other.set_sku_prefix("p");
      EXPECT_EQ(client().list(other).code, kInvalidArgument);
    }
  } while (!token.empty());
  EXPECT_THAT(
      skus, ::testing::ElementsAre("page0", "page1", "page2", "page3", "page4", "page5", "page6"));
}

TEST_F(ServiceApiTest, an_import_reports_bad_rows_and_applies_the_others_once) {
  v1::ImportStockLevelsRequest request;
  request.mutable_context()->set_request_id(std::string(kId) + "3");
  const auto add = [&](const std::string& sku, std::int64_t on_hand) {
    auto& row = *request.add_rows();
    row.mutable_key()->set_sku(sku);
    row.mutable_key()->set_location("main");
    row.set_on_hand(on_hand);
  };
  add("i1", 10);
  add("", 1);
  add("i2", -1);
  add("i1", 11);
  add("i3", 30);
  const auto first = client().import(request);
  ASSERT_TRUE(first.ok()) << first.message;
  EXPECT_EQ(first.response.changed(), 2);
  ASSERT_EQ(first.response.errors_size(), 3);
  EXPECT_EQ(first.response.errors(0).index(), 1);
  const auto second = client().import(request);
  EXPECT_TRUE(second.response.replayed());
  EXPECT_EQ(second.response.changed(), 2);
  EXPECT_EQ(on_hand("i3"), 30);
}

TEST_F(ServiceApiTest, many_writers_of_one_key_lose_nothing) {
  constexpr int kWriters = 16;
  constexpr int kEach = 25;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(client().adjust("busy", "main", 1).ok());
    });
  }
  for (std::thread& writer : writers) writer.join();
  const auto read = client().get("busy", "main", fully_consistent());
  EXPECT_EQ(read.response.level().counts().on_hand(), kWriters * kEach);
  EXPECT_EQ(read.response.level().version(), kWriters * kEach);
  EXPECT_EQ(primary().connect().number("SELECT count(*) - max(version) + sum(on_hand_delta) FROM "
                                       "stock.movement WHERE sku = 'busy'"),
            kWriters * kEach);
}

}  // namespace
}  // namespace stock
