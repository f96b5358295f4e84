extension CoverageSimulation {
  /// Positives of 200 and 60 people of whose images some flip: in the first group a fifth as often
  /// and either way, in the second only from yes to no.
  private struct Families: Sendable {
    /// Whether people have 1 to many images, 8 on average, or 8 each.
    var isUneven: Bool
    /// The share of people in the second group whose images flip at all.
    var people: Double
    /// The share of these people's images that flip.
    var images: Double

    var name: String {
      "drift of equal opportunity, 200 and 60 people of \(isUneven ? "1 to many" : "8") images, "
        + "\(written(images * 100, decimals: 0)) % of the images of "
        + "\(written(people * 100, decimals: 0)) % of people flip"
    }

    func interval(_ random: inout Random) -> Interval? {
      var (first, second): ([Bool], [Bool]) = ([], [])
      var (codes, ids): ([Int32], [Int32]) = ([], [])
      for person in 0..<260 {
        let group: Int32 = person < 200 ? 0 : 1
        var size = 8
        if isUneven {
          size = 1
          while random.uniform() > 0.125 { size += 1 }
        }
        let flips = random.uniform() < (group == 0 ? people / 5 : people)
        let gains = group == 0 && random.uniform() < 0.5
        for _ in 0..<size {
          let isFlipped = flips && random.uniform() < images
          first.append(!(isFlipped && gains))
          second.append(!(isFlipped && !gains))
          codes.append(group)
          ids.append(Int32(person))
        }
      }
      let groups = Attribute("g", groups: ["a", "b"], codes: codes)
      let labels = [Bool](repeating: true, count: first.count)
      let before = Outcomes(decisions: first, labels: labels, groups: groups)
      let after = Outcomes(decisions: second, labels: labels, groups: groups)
      guard let tally = try? PairedTally(before: before, after: after) else { return nil }
      let clusters = PairedClusters(
        before: before, after: after, clusters: ids, threshold: 0.5, thresholdAfter: 0.5)
      return DriftMaker(tally: tally, clusters: clusters).drift(.equalOpportunity).interval
    }
  }

  /// The coverage of drifts by cluster: where whole clusters flip and where few of their rows do.
  public func clusteredDrifts() -> [Line] {
    [false, true].flatMap { isUneven in
      [(0.02, 1.0), (0.1, 1.0), (0.02, 0.5), (0.1, 0.5), (0.05, 0.15), (0.3, 0.15)].map {
        let families = Families(isUneven: isUneven, people: $0.0, images: $0.1)
        let truth = -families.people * families.images
        return share(families.name, "Tango and MOVER, by cluster", simulations) { random in
          families.interval(&random).map { $0.contains(truth) }
        }
      }
    }
  }
}
