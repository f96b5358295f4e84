import Images

extension PortraitPainter {
  /// A point of the eye's opening: `s` from the inner (-1) to the outer corner (1).
  private func lid(_ s: Double, side: Double, up: Bool, raise: Double = 0) -> Point {
    let sitter = sitter
    let bow = (1 - s * s) * (up ? 1 - 0.18 * s : 1 + 0.2 * s)
    let y = up ? -(sitter.lidUp + raise) * bow : (sitter.lidDown + raise) * bow
    return Point(side * (sitter.eyeX + s * sitter.eyeWidth), y - sitter.eyeTilt * s + 0.4)
  }

  private func place(_ p: Point) -> Point { pose.face(p.x, p.y) }

  func paintEyes() {
    let s = sitter
    let steps = [-1, -0.66, -0.3, 0.1, 0.5, 0.8, 1.0]
    for side in [-1.0, 1.0] {
      let upper = steps.map { lid($0, side: side, up: true) }
      let lower = steps.map { lid($0, side: side, up: false) }
      // The ball, darker under the upper lid.
      let white = Color(0.90, 0.885, 0.87) * (0.93 * light(at: side * 20))
      canvas.curve(through: upper.map(place))
      canvas.curve(through: lower.reversed().map(place), joined: true)
      canvas.fill(
        .linear(
          from: pose.face(side * s.eyeX, -s.lidUp), to: pose.face(side * s.eyeX, s.lidDown),
          [.init(0, SIMD4(white * 0.62, 1)), .init(0.5, SIMD4(white.shown, 1))]))
      canvas.circle(
        place(Point(side * (s.eyeX - s.eyeWidth + 1.3), 0.4 + s.eyeTilt * 0.8)),
        radius: 0.9 * pose.scale)
      canvas.fill(.color(Color(0.75, 0.45, 0.42), alpha: 0.7))
      paintIris(side: side)
      paintLashes(side: side, upper: upper, lower: lower)
    }
  }

  /// The iris, cut off where the lids cover it.
  private func paintIris(side: Double) {
    let s = sitter
    let center = Point(side * s.eyeX, -0.25) + s.luck.gaze
    func disc(_ radius: Double) {
      for k in 0..<16 {
        let angle = Double(k) * .pi / 8
        var p = center + Point(cosine(angle), sine(angle)) * radius
        let along = (((p.x * side) - s.eyeX) / s.eyeWidth).clamped(1)
        p.y = min(max(p.y, lid(along, side: side, up: true).y), lid(along, side: side, up: false).y)
        if k == 0 { canvas.move(to: place(p)) } else { canvas.line(to: place(p)) }
      }
      canvas.close()
    }
    let radius = 4.5
    disc(radius)
    let lit = s.iris * light(at: side * 20)
    canvas.fill(
      .radial(
        center: place(center + Point(0, 0.8)), radius: radius * pose.scale,
        [
          .init(0.3, SIMD4((lit * 1.35).shown, 1)), .init(0.75, SIMD4(lit.shown, 1)),
          .init(1, SIMD4(lit * 0.42, 1)),
        ]))
    disc(2.1)
    canvas.fill(.color(Color(0.03, 0.025, 0.025), alpha: 0.96))
    let glint = place(center + Point(s.luck.light.x * 1.6, -1.5 * min(1, s.lidUp / 3.4)))
    canvas.circle(glint, radius: 0.95 * pose.scale)
    canvas.fill(.color(Color(1, 1, 1), alpha: 0.92))
    canvas.circle(place(center - Point(s.luck.light.x * 1.7, -1)), radius: 0.7 * pose.scale)
    canvas.fill(.color(Color(1, 1, 1), alpha: 0.25))
  }

  private func paintLashes(side: Double, upper: [Point], lower: [Point]) {
    let s = sitter
    let made = s.has(.heavyMakeup)
    let lash = made ? Color(0.06, 0.04, 0.05) : mix(s.skin * 0.22, Color(0.10, 0.06, 0.05), 0.6)
    // The upper lid's edge: a wedge, thicker outwards.
    let thick = made ? 2.1 : s.has(.male) ? 0.9 : 1.35
    var rim = upper
    for i in rim.indices {
      let t = Double(i) / Double(rim.count - 1)
      rim[i].y -= thick * (0.35 + 0.75 * t) * (i == 0 ? 0.3 : 1)
      if i == rim.count - 1 {
        rim[i] += made ? Point(side * 2.6, -0.6) : Point(side * 0.7, 0.2)
      }
    }
    canvas.curve(through: upper.map(place))
    canvas.curve(through: rim.reversed().map(place), joined: true)
    canvas.fill(.color(lash, alpha: made ? 0.95 : 0.82))
    line(lower.map(place), lash, alpha: made ? 0.6 : 0.32, width: made ? 0.95 : 0.7)
    // The lid's crease.
    let deep = s.has(.narrowEyes) ? 0.6 : 1.0
    let crease = [-0.85, -0.4, 0.1, 0.6, 1.05].map { t -> Point in
      var p = lid(min(t, 1), side: side, up: true, raise: 2.4 * deep)
      p.y -= 0.9 * deep
      if t > 1 { p += Point(side * 0.8, 0.9) }
      return p
    }
    line(crease.map(place), s.skin * Color(0.45, 0.34, 0.31), alpha: 0.55, width: 0.9)
    if made || !s.has(.male) {
      let length = made ? 3.2 : 2.0
      for t in [0.2, 0.45, 0.65, 0.82, 0.97] {
        let from = lid(t, side: side, up: true)
        canvas.move(to: place(from))
        canvas.line(
          to: place(from + Point(side * t * length * 0.9, -length * (1.1 - 0.5 * t) - 0.5)))
      }
      canvas.stroke(.color(lash, alpha: 0.75), width: 0.55 * pose.scale)
    }
  }

  func paintBrows() {
    let s = sitter
    var color = s.hair * (s.hair.luminance > 0.45 ? 0.62 : 0.72)
    color = mix(color, Color(0.16, 0.10, 0.07), s.has(.grayHair) ? 0.25 : 0.35)
    let bushy = s.has(.bushyEyebrows)
    for side in [-1.0, 1.0] {
      func top(_ t: Double) -> Point {
        // Rises to its arch at two thirds, then falls to the temple.
        let rise =
          t < 0.64
          ? 1 - (1 - t / 0.64) * (1 - t / 0.64)
          : 1 - 1.15 * ((t - 0.64) / 0.36) * ((t - 0.64) / 0.36)
        return Point(side * (8.2 + 23.5 * t), s.browY - s.browArch * rise)
      }
      func thickness(_ t: Double) -> Double {
        s.browThickness * (t < 0.5 ? 0.95 + 0.3 * t : 1.1 - 1.7 * (t - 0.5))
      }
      let along = [0, 0.2, 0.42, 0.64, 0.84, 1.0]
      let upper = along.map { top($0) }
      let lower = along.map { top($0) + Point(0, max(thickness($0), 0.35)) }
      canvas.curve(through: upper.map(place))
      canvas.curve(through: lower.reversed().map(place), joined: true)
      canvas.fill(.color(color, alpha: bushy ? 0.85 : 0.66))
      // Single hairs, upright by the nose and flat at the temple.
      let reach = bushy ? 1.5 : 0.3
      for k in 0..<(bushy ? 13 : 9) {
        let t = 0.0 + Double(k) / (bushy ? 14.0 : 10.0)
        let root = top(t) + Point(0, thickness(t) * 0.85)
        let tip = top(min(t + 0.09 + 0.06 * t, 1))
        canvas.move(to: place(root))
        canvas.line(to: place(tip + Point(0, -reach * (1 - t))))
      }
      canvas.stroke(.color(color * 0.75, alpha: 0.5), width: 0.7 * pose.scale)
    }
  }
}
