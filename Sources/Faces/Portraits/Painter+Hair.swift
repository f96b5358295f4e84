import Images

extension PortraitPainter {
  private func place(_ points: [Point]) -> [Point] { points.map { pose.edge($0.x, $0.y) } }

  /// The outer side of hanging hair, from the crown down, on the right of a head that looks at you.
  private func hangingSide(_ side: Double) -> [Point] {
    let s = sitter
    let v = s.volume
    var points = [
      Point(s.cheek * 0.6, s.crown - v * 0.7 + 4.5), Point(s.cheek * 0.96 + v * 0.3, s.crown + 20),
      Point(s.cheek + v * 0.75, -30),
    ]
    let wild = s.has(.wavyHair) ? 3.4 : s.has(.straightHair) ? 0.2 : 0.9
    var y = -14.0
    var k = side > 0 ? 0 : 1
    while y < s.hairEnd - 10 {
      let t = min(1, (y + 14) / 60)
      let out = s.cheek + v * (0.95 + 0.3 * t) + (k % 2 == 0 ? wild : -wild)
      points.append(Point(out, y))
      y += s.has(.wavyHair) ? 11 : 22
      k += 1
    }
    points.append(Point(s.cheek + v * 0.7, s.hairEnd - 6))
    return points.map { Point($0.x * side, $0.y) }
  }

  /// Hair that is behind the neck and shoulders, and buns.
  func paintHairBehind() {
    let s = sitter
    switch s.style {
    case .bald, .short: return
    case .tied:
      let high = s.luck.choice[12] < 0.5
      let center =
        high
        ? Point(s.parting * 0.4, s.crown - 9)
        : Point(s.cheek * (s.luck.choice[13] < 0.5 ? -0.8 : 0.8), 44)
      let radius = high ? 15.0 : 17.0
      let around = (0..<10).map { k -> Point in
        let a = Double(k) * .pi / 5
        let r = radius + s.wave * (k % 2 == 0 ? 2 : -1.5)
        return pose.behind(center.x + cosine(a) * r, center.y + sine(a) * r * 0.85)
      }
      shape(around, hairPaint)
      shape(around, .color(Color(0, 0, 0), alpha: 0.18))
    case .long:
      let right = hangingSide(1)
      let left = hangingSide(-1)
      let end = [Point(s.cheek * 0.5, s.hairEnd + 3), Point(-s.cheek * 0.5, s.hairEnd + 3)]
      let outline =
        ([Point(s.parting * 0.3, s.crown - s.volume * 0.75)] + right + end + left.reversed())
        .map { pose.edge($0.x, $0.y) }
      canvas.curve(through: outline, closed: true)
      canvas.fillKeepingShape(hairPaint)
      canvas.fill(.color(Color(0, 0, 0), alpha: 0.22))
    }
  }

  /// Hair in front of the forehead, temples and ears.
  func paintHairBefore() {
    let s = sitter
    switch s.style {
    case .bald: paintFringe()
    case .short, .tied: paintCap()
    case .long:
      paintLock(side: 1)
      paintLock(side: -1)
      paintFlyaways()
    }
    if s.has(.bangs) { paintBangs() }
    if s.has(.sideburns) { paintSideburns() }
  }

  /// Short hair all over the skull, or hair combed back.
  private func paintCap() {
    let s = sitter
    let tied = s.style == .tied
    let v = tied ? 4.5 : s.volume
    let burn = tied ? -4.0 : s.has(.male) ? 4.0 : 10.0
    let lean = tied ? 0 : s.parting * 0.35
    let wild = s.has(.wavyHair) && !tied ? 2.2 : 0.0
    let outerRight = [
      Point(lean, s.crown - v * 0.85),
      Point(s.cheek * 0.42 + lean * 0.4, s.crown + 1.5 - v * 0.8 + wild * 0.5),
      Point(s.cheek * 0.78, s.crown + 9.5 - v * 0.6 - wild * 0.5),
      Point(s.cheek * 0.99 + v * 0.22, s.crown + 25 + wild),
      Point(s.cheek + 1.6 + v * 0.3 + wild, -30), Point(s.cheek + 2.2 + v * 0.15 - wild * 0.6, -12),
      Point(s.cheek + 0.6, burn),
    ]
    let outerLeft = [
      Point(-s.cheek * 0.42 + lean * 0.4, s.crown + 1.5 - v * 0.8 - wild * 0.5),
      Point(-s.cheek * 0.78, s.crown + 9.5 - v * 0.6 + wild * 0.5),
      Point(-s.cheek * 0.99 - v * 0.22, s.crown + 25 - wild),
      Point(-s.cheek - 1.6 - v * 0.3 + wild, -30),
      Point(-s.cheek - 2.2 - v * 0.15 - wild * 0.6, -12),
      Point(-s.cheek - 0.6, burn),
    ]
    let receding = s.has(.recedingHairline)
    let h = receding ? -52.0 : -44.0 + (tied ? -4 : 0)
    func inner(_ side: Double) -> [Point] {
      let bias = side * s.parting > 0 ? 1.5 : -1.5
      return [
        Point(side * (s.cheek - 3.2), burn), Point(side * (s.cheek - 4.4), -14),
        Point(side * (s.cheek - 6.5), -29),
        Point(side * s.cheek * 0.72, receding ? -54 : -38 + bias),
        Point(side * s.cheek * 0.42, receding ? -60 : h + 1.5 + bias),
      ]
    }
    let middle = [Point(s.parting * 0.3, h)]
    canvas.curve(through: place(outerLeft.reversed() + outerRight))
    canvas.curve(through: place(inner(1) + middle + inner(-1).reversed()), joined: true)
    canvas.close()
    canvas.fill(hairPaint)
    paintRoots(place(inner(1) + middle + inner(-1).reversed()))
    guard !tied else { return }
    // Tufts along the top make the outline hair rather than a helmet.
    let tuft = s.has(.straightHair) ? 3.4 : 2.4
    for k in 0..<13 {
      let t = -1 + Double(k) / 6
      let x = t * s.cheek * 0.82 + lean * (1 - t * t)
      let y = s.crown - v * (1 - 0.35 * t * t) + 30 * t * t * t * t + 2.5
      canvas.move(to: pose.edge(x, y + 3))
      canvas.line(to: pose.edge(x + t * 2 + s.parting * 0.1, y - tuft * s.luck.choice[14 + k % 8]))
    }
    canvas.stroke(.color(s.hair * 0.9, alpha: 0.8), width: 1.3 * pose.scale)
  }

  /// Fine hairs that soften the edge between hair and forehead.
  private func paintRoots(_ edge: [Point]) {
    canvas.curve(through: edge)
    canvas.stroke(.color(sitter.hair * 0.55, alpha: 0.3), width: 2.2 * pose.scale)
  }

  /// One side of hanging hair, from the parting past the cheek.
  private func paintLock(side: Double) {
    let s = sitter
    let p = s.parting
    let up = s.has(.recedingHairline) ? -12.0 : 0
    let tucked = isTucked(side)
    let sway = s.wave * 3
    let start = Point(p, -55 + up * 0.6)
    var inner = [
      start, Point(p + side * 8, -49 + up), Point(side * s.cheek * 0.5 + p * 0.35, -40 + up),
      Point(side * s.cheek * 0.79, -25 + up * 0.8), Point(side * (s.cheek * 0.92), -7),
    ]
    let low = s.hairEnd
    if tucked {
      inner += [Point(side * (s.cheek + 3), 4), Point(side * (s.cheek + 6), 26)]
    } else {
      inner += [
        Point(side * (s.cheek * 0.93 - sway * 0.5), 14),
        Point(side * (s.cheek * 0.95 + sway * 0.6), 34),
      ]
    }
    inner.append(Point(side * (s.cheek * 0.9 - sway), min(58, low - 6)))
    if low > 70 { inner.append(Point(side * (s.cheek * 0.82 + sway * 0.5), min(88, low - 4))) }
    let tip = [Point(side * (s.cheek * 0.92), low), Point(side * (s.cheek + 3), low + 2)]
    let outer = hangingSide(side).reversed() + [Point(p * 0.6, s.crown - s.volume * 0.75)]
    canvas.curve(through: place(inner + tip))
    canvas.curve(through: place(Array(outer)), joined: true)
    canvas.close()
    canvas.fill(hairPaint)
    canvas.curve(through: place(inner))
    canvas.stroke(.color(s.hair * 0.4, alpha: 0.3), width: 2 * pose.scale)
    // A few strands catch the light.
    let glow = (s.hair * 1.25 + Color(0.05, 0.04, 0.03)).shown
    for k in 0..<3 {
      let t = 0.3 + Double(k) * 0.24
      let x = { (inside: Double, outside: Double) in side * mix(inside, outside, t) }
      let bend = s.wave * 3.2 * (k % 2 == 0 ? 1 : -1)
      canvas.curve(
        through: place([
          Point(p + side * (4 + 8 * t), -58 + up * 0.4 - 8 * t),
          Point(x(s.cheek * 0.84, s.cheek + 5), -24),
          Point(x(s.cheek * 0.95, s.cheek + 9) + bend, 14),
          Point(x(s.cheek * 0.92, s.cheek + 10) - bend, 46),
          Point(x(s.cheek * 0.9, s.cheek + 9), low - 6),
        ]))
    }
    canvas.stroke(.color(glow, alpha: 0.3), width: 0.9 * pose.scale)
  }

  private func paintFlyaways() {
    let s = sitter
    for side in [-1.0, 1.0] {
      for k in 0..<4 {
        let x = s.cheek + s.volume + 1 + 2.4 * s.luck.choice[14 + k]
        let y = -10.0 + Double(k) * 24
        guard y + 22 < s.hairEnd else { break }
        canvas.curve(
          through: place([
            Point(side * (x - 3), y - 16), Point(side * (x + s.wave * 2), y),
            Point(side * (x - 3), y + 18),
          ]))
      }
    }
    canvas.stroke(.color(s.hair * 0.9, alpha: 0.7), width: 0.6 * pose.scale)
  }

  private func paintBangs() {
    let s = sitter
    let slope = (s.luck.choice[24] - 0.5) * 9
    let bald = s.style == .bald
    let reach = bald ? 0.3 : 0.9
    let count = 13
    var low: [Point] = []
    for k in 0...count {
      let t = -1 + 2 * Double(k) / Double(count)
      let deep = k % 2 == 0 ? 2.6 + 2.5 * s.luck.choice[14 + k % 8] : -0.6
      let curl = s.has(.wavyHair) ? 1.8 : 0
      low.append(
        Point(
          t * s.cheek * reach + curl * (k % 2 == 0 ? 1 : -1),
          -22 + deep + slope * t - 3 * (1 - t * t)))
    }
    let topEdge = [
      Point(s.cheek * reach, -40), Point(s.cheek * reach * 0.72, -55), Point(s.parting * 0.4, -63),
      Point(-s.cheek * reach * 0.72, -55), Point(-s.cheek * reach, -40),
    ]
    let points = low.map { pose.edge($0.x, $0.y) + pose.direction(pose.sinYaw * 24, 0) * 0.6 }
    canvas.curve(through: place(topEdge.reversed()))
    canvas.curve(through: points.reversed(), joined: true)
    canvas.close()
    canvas.fill(hairPaint)
    for k in 1..<count {
      let p = points[k]
      canvas.move(to: p)
      canvas.curve(
        p - pose.direction(0, 9), p - pose.direction(0, 20),
        pose.edge(s.parting * 0.4 + low[k].x * 0.6, -58))
    }
    canvas.stroke(.color(s.hair * 0.45, alpha: 0.38), width: 0.8 * pose.scale)
  }

  /// The trace of hair at the sides of a bald head.
  private func paintFringe() {
    let s = sitter
    let high = s.has(.recedingHairline) ? -12.0 : -24.0
    for side in [-1.0, 1.0] {
      let points = [
        Point(side * (s.cheek + 1.4), high), Point(side * (s.cheek + 2.8), (high + 4) / 2),
        Point(side * (s.cheek + 1), 5), Point(side * (s.cheek - 2.5), 2),
        Point(side * (s.cheek - 3.6), (high + 4) / 2),
      ]
      canvas.curve(through: place(points), closed: true)
      canvas.fill(hairPaint)
    }
  }

  private func paintSideburns() {
    let s = sitter
    let inward = s.style == .long ? 3.5 : 0
    for side in [-1.0, 1.0] {
      let x = s.cheek - inward
      let points = [
        Point(side * (x + 0.6), -16), Point(side * (x + 0.4), 8), Point(side * (x - 1.6), 27),
        Point(side * (x - 7.6), 25), Point(side * (x - 7.2), 4), Point(side * (x - 6), -16),
      ]
      canvas.curve(through: place(points), closed: true)
      canvas.fillKeepingShape(hairPaint)
      canvas.fill(.color(s.hair * 0.5, alpha: 0.25))
    }
  }
}
