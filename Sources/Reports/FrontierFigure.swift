import Foundation
public import Study

/// Bytes against harm as a picture: one line a way of compressing, with intervals.
///
/// The upper row shows what becomes of the gaps and the accuracy of the first model, the lower row, if
/// there are such models, what is reached where gaps are closed too.
public struct FrontierFigure: Sendable {
  private let rows: [[Panel]]
  private let names: [String]

  /// The figure of a study; `nil` where it has no frontier.
  public init?(_ result: StudyResult) {
    let points = FrontierPoint.all(of: result)
    guard !points.isEmpty else { return nil }
    var names: [String] = []
    for point in points where !names.contains(point.series) { names.append(point.series) }
    self.names = names
    let kept = points.filter { !$0.isFair }
    let fair = points.filter(\.isFair)
    func change(_ measure: String) -> (FrontierPoint) -> Value? {
      { point in
        point.changes[measure].flatMap { Value($0.mean, $0.low, $0.high) }
      }
    }
    func size(_ gap: String) -> (FrontierPoint) -> Value? {
      { point in point.sizes[gap].flatMap { Value($0.mean, $0.low, $0.high) } }
    }
    rows = [
      [
        Panel("EO: growth of the gap, points", kept, names, change("equalOpportunity")),
        Panel("FPR difference: growth, points", kept, names, change("fprDifference")),
        Panel("accuracy: change, points", kept, names, change("accuracy")),
      ],
      fair.isEmpty
        ? []
        : [
          Panel("made fair: EO, points", fair, names, size("equalOpportunity")),
          Panel("made fair: FPR difference, points", fair, names, size("fprDifference")),
          Panel("made fair: accuracy, change, points", fair, names, change("accuracy")),
        ],
    ].filter { !$0.isEmpty }
  }

  /// A number in points with its interval.
  private struct Value {
    var mean: Double
    var low: Double
    var high: Double

    init?(_ mean: Double?, _ low: Double?, _ high: Double?) {
      guard let mean else { return nil }
      self.mean = 100 * mean
      self.low = 100 * (low ?? mean)
      self.high = 100 * (high ?? mean)
    }
  }

  private struct Mark {
    var ratio: Double
    var value: Value
    var isRefused: Bool
  }

  private struct Panel {
    var title: String
    var lines: [(series: Int, marks: [Mark])]

    init(
      _ title: String, _ points: [FrontierPoint], _ names: [String],
      _ read: (FrontierPoint) -> Value?
    ) {
      self.title = title
      lines = names.indices.compactMap { series in
        let marks = points.filter { $0.series == names[series] }.compactMap { point in
          read(point).map {
            Mark(ratio: point.ratio, value: $0, isRefused: point.certified.contains(false))
          }
        }.sorted { $0.ratio < $1.ratio }
        return marks.isEmpty ? nil : (series, marks)
      }
    }

    var ratios: [Double] { lines.flatMap { $0.marks.map(\.ratio) } }

    /// The values shown: those near most of the marks, so that one that leaves far does not flatten
    /// all others.
    var range: (low: Double, high: Double) {
      func middle(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
      let means = lines.flatMap { $0.marks.map(\.value.mean) }
      guard let least = means.min(), let most = means.max() else { return (-1, 1) }
      let centre = middle(means)
      let reach = max(3 * middle(means.map { abs($0 - centre) }), 2)
      return (max(min(least, 0), centre - reach) - 0.5, min(max(most, 0), centre + reach) + 0.5)
    }
  }

  private static let width = 330.0
  private static let height = 250.0
  private static let margin = (left: 46.0, top: 30.0, right: 14.0, bottom: 42.0)
  /// Okabe and Ito's colours, told apart with any kind of colour vision, and two greys.
  private static let colours = [
    "#888888", "#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#0072B2", "#009E73", "#D55E00",
    "#444444", "#999933", "#882255",
  ]

  /// A line's colour, and the attribute that makes it dashed where its colour was used before.
  private static func look(of series: Int) -> (colour: String, dashes: String) {
    (
      colours[series % colours.count],
      series < colours.count ? "" : " stroke-dasharray=\"5 3\""
    )
  }

  /// The picture as an SVG document.
  public var svg: String {
    let columns = rows.map(\.count).max() ?? 0
    let legend = 22.0 * Double((names.count + 3) / 4) + 34
    let (width, height) = (
      Double(columns) * Self.width, Double(rows.count) * Self.height + legend
    )
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(width)) \(Int(height))\" "
        + "font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
    ]
    for (y, row) in rows.enumerated() {
      for (x, panel) in row.enumerated() {
        parts.append(
          "<g transform=\"translate(\(Int(Double(x) * Self.width)),\(Int(Double(y) * Self.height)))\">"
            + drawn(panel, in: row) + "</g>")
      }
    }
    parts += key(at: Double(rows.count) * Self.height + 16, width: width)
    return (parts + ["</svg>\n"]).joined(separator: "\n")
  }

  private func drawn(_ panel: Panel, in row: [Panel]) -> String {
    let all = row.flatMap(\.ratios)
    let (least, most) = (log2(all.min() ?? 1) - 0.15, log2(all.max() ?? 2) + 0.15)
    let (low, high) = panel.range
    let (left, right) = (Self.margin.left, Self.width - Self.margin.right)
    let (top, bottom) = (Self.margin.top, Self.height - Self.margin.bottom)
    func place(_ ratio: Double) -> Double {
      left + (log2(ratio) - least) / (most - least) * (right - left)
    }
    func y(_ value: Double) -> Double {
      bottom - (min(max(value, low), high) - low) / (high - low) * (bottom - top)
    }
    var parts = ["<text x=\"\(left)\" y=\"18\" font-weight=\"bold\">\(panel.title)</text>"]
    for tick in Self.ticks(low, high) {
      let height = Self.number(y(tick))
      parts.append(
        "<line x1=\"\(left)\" x2=\"\(right)\" y1=\"\(height)\" y2=\"\(height)\" "
          + "stroke=\"\(tick == 0 ? "#555" : "#ddd")\"/>"
          + "<text x=\"\(left - 6)\" y=\"\(height)\" dy=\"4\" text-anchor=\"end\">"
          + "\(decimal(tick, tick == tick.rounded() ? 0 : 1))</text>")
    }
    let between = most - least < 3 ? [12.0, 24, 48] : []
    for ratio in [1.0, 2, 4, 8, 16, 32, 64] + between
    where log2(ratio) > least && log2(ratio) < most {
      parts.append(
        "<text x=\"\(Self.number(place(ratio)))\" y=\"\(bottom + 16)\" text-anchor=\"middle\">"
          + "\(Int(ratio))×</text>")
    }
    parts.append(
      "<text x=\"\((left + right) / 2)\" y=\"\(bottom + 32)\" text-anchor=\"middle\">times smaller</text>"
    )
    /// The numbers written at an edge near each size, so that none is written over another.
    var written: [String: Int] = [:]
    for (number, (series, marks)) in panel.lines.enumerated() {
      let (colour, dashes) = Self.look(of: series)
      // Lines side by side, or many marks of one size would hide each other.
      let aside = 2.5 * (Double(number) - Double(panel.lines.count - 1) / 2)
      func x(_ ratio: Double) -> Double { place(ratio) + aside }
      let path = marks.map { "\(Self.number(x($0.ratio))),\(Self.number(y($0.value.mean)))" }
      parts.append(
        "<polyline points=\"\(path.joined(separator: " "))\" fill=\"none\" stroke=\"\(colour)\" "
          + "stroke-width=\"1.6\"\(dashes)/>")
      for mark in marks {
        let (a, b) = (Self.number(x(mark.ratio)), Self.number(y(mark.value.mean)))
        let isInside = low...high ~= mark.value.mean
        parts.append(
          "<line x1=\"\(a)\" x2=\"\(a)\" y1=\"\(Self.number(y(mark.value.low)))\" "
            + "y2=\"\(Self.number(y(mark.value.high)))\" stroke=\"\(colour)\"/>"
            + "<circle cx=\"\(a)\" cy=\"\(b)\" r=\"3.5\" stroke=\"\(colour)\" stroke-width=\"1.6\" "
            + "fill=\"\(mark.isRefused ? "white" : colour)\"/>")
        if !isInside {
          let isAbove = mark.value.mean > high
          let earlier = written["\(isAbove) \((2 * log2(mark.ratio)).rounded())", default: 0]
          written["\(isAbove) \((2 * log2(mark.ratio)).rounded())"] = earlier + 1
          let lift = isAbove ? 10 + 11 * earlier : -4 - 11 * earlier
          parts.append(
            "<text x=\"\(a)\" y=\"\(b)\" dx=\"6\" dy=\"\(lift)\" "
              + "fill=\"\(colour)\">\(decimal(mark.value.mean, 0))</text>")
        }
      }
    }
    return parts.joined(separator: "\n")
  }

  private func key(at top: Double, width: Double) -> [String] {
    let step = width / 4
    var parts = names.enumerated().map { i, name in
      let (x, y) = (20 + Double(i % 4) * step, top + Double(i / 4) * 22)
      let (colour, dashes) = Self.look(of: i)
      return "<line x1=\"\(x)\" x2=\"\(x + 22)\" y1=\"\(y)\" y2=\"\(y)\" stroke=\"\(colour)\" "
        + "stroke-width=\"2.5\"\(dashes)/><text x=\"\(x + 28)\" y=\"\(y + 4)\">\(Markup.escaped(name))</text>"
    }
    let y = top + Double((names.count + 3) / 4) * 22
    parts.append(
      "<text x=\"20\" y=\"\(y + 4)\" fill=\"#555\">Bars are 95 % intervals, cut off at the "
        + "edges. Hollow: limits refused, in some run. A number beside a mark: its value, outside the "
        + "panel.</text>")
    return parts
  }

  /// Round numbers between two bounds, about five.
  private static func ticks(_ low: Double, _ high: Double) -> [Double] {
    let steps = [0.5, 1, 2, 5, 10, 20, 50]
    let step = steps.first { (high - low) / $0 <= 7 } ?? 100
    // Zero added makes zero of a negative one.
    return stride(from: (low / step).rounded(.up) * step, through: high, by: step).map { $0 + 0 }
  }

  private static func number(_ value: Double) -> String { decimal(value, 1) }
}
