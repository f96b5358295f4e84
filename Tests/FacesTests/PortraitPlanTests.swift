import Faces
import Testing

@Suite struct PortraitPlanTests {
  @Test func `a sampled set has the official proportions`() {
    let plan = PortraitPlan.sampled(count: 2026, seed: 1)
    let sizes = Split.allCases.map { split in plan.people.count { $0.split == split } }
    #expect(sizes == Split.officialCounts(of: 2026))
    #expect(sizes == [1628, 198, 200])
    #expect(plan.people.map(\.row) == Array(0..<2026))
    #expect(plan.people[0].file == "000001.jpg")
    #expect(plan.people[2025].file == "002026.jpg")
  }

  @Test func `a row is the same person's in a larger set`() {
    let small = PortraitPlan.sampled(count: 50, seed: 3).people
    let large = PortraitPlan.sampled(train: 60, validation: 5, test: 9, seed: 3).people
    #expect(large.count == 74)
    #expect(zip(small, large).allSatisfy { $0.attributes == $1.attributes && $0.row == $1.row })
    #expect(
      PortraitPlan.sampled(count: 50, seed: 4).people.map(\.attributes)
        != small.map(\.attributes))
  }

  @Test func `splits can be asked for one by one`() {
    let plan = PortraitPlan.sampled(train: 6, validation: 0, test: 3, seed: 3)
    #expect(plan.people.map(\.split) == Array(repeating: .train, count: 6) + [.test, .test, .test])
  }
}
