import Images

extension PortraitPainter {
  /// What is worn on the head, in front of everything else.
  func paintWorn() {
    if sitter.has(.eyeglasses) { paintGlasses() }
    if sitter.has(.wearingEarrings) { paintEarrings() }
    if sitter.has(.wearingHat) { paintHat() }
  }

  private func paintGlasses() {
    let s = sitter
    let kind = s.luck.choice[28]
    let dark = s.luck.choice[29] < 0.1
    let frames = [
      Color(0.07, 0.06, 0.06), Color(0.30, 0.17, 0.09), Color(0.62, 0.56, 0.46),
      Color(0.36, 0.38, 0.42), Color(0.45, 0.10, 0.14),
    ]
    let frame = frames[min(Int(s.luck.choice[30] * 5), 4)]
    let (w, h) = kind < 0.35 ? (13.6, 9.6) : kind < 0.65 ? (12.0, 11.4) : (14.4, 11.0)
    let power = kind < 0.35 ? 0.55 : kind < 0.65 ? 1.0 : 0.75
    let thick = frame.luminance > 0.35 ? 1.2 : 2.1
    for side in [-1.0, 1.0] {
      let center = Point(side * (s.eyeX + 0.8), 1.4)
      let rim = (0..<14).map { k -> Point in
        let a = Double(k) * .pi / 7
        func bend(_ v: Double) -> Double { v < 0 ? -power2(-v, power) : power2(v, power) }
        let droop = kind >= 0.65 && sine(a) > 0 ? 1.12 : 1.0
        return pose.face(
          center.x + bend(cosine(a)) * w, center.y + bend(sine(a)) * h * droop, out: 4)
      }
      canvas.curve(through: rim, closed: true)
      canvas.fillKeepingShape(
        .linear(
          from: pose.face(center.x - w, -h, out: 4), to: pose.face(center.x + w, h, out: 4),
          dark
            ? [.init(0, SIMD4(0.16, 0.15, 0.17, 0.86)), .init(1, SIMD4(0.05, 0.04, 0.05, 0.9))]
            : [
              .init(0, SIMD4(1, 1, 1, 0.26)), .init(0.42, SIMD4(1, 1, 1, 0.05)),
              .init(0.6, SIMD4(0.75, 0.85, 1, 0.12)), .init(1, SIMD4(0.6, 0.7, 0.9, 0.04)),
            ]))
      canvas.stroke(.color(frame * light(at: side * 20)), width: thick * pose.scale)
      canvas.move(to: pose.face(side * (s.eyeX + 0.8 + w), -1.5, out: 3))
      canvas.line(to: pose.edge(side * (s.cheek + 1.5), -4))
      canvas.stroke(.color(frame * 0.85), width: (thick + 0.3) * pose.scale)
    }
    line(
      [
        pose.face(-s.eyeX + w - 0.8, 0, out: 6), pose.face(0, -2.2, out: 10),
        pose.face(s.eyeX - w + 0.8, 0, out: 6),
      ], frame, width: thick)
    line(
      [
        pose.face(-s.eyeX - w * 0.5, -h * 0.86, out: 5),
        pose.face(-s.eyeX + w * 0.4, -h * 0.9, out: 5),
      ],
      (frame + Color(0.35, 0.35, 0.35)).shown, alpha: 0.5, width: 0.6)
  }

  /// `x` to the power `p` for the three powers that frames need.
  private func power2(_ x: Double, _ p: Double) -> Double {
    p == 1 ? x : p > 0.6 ? (x * x.squareRoot()).squareRoot() : x.squareRoot()
  }

  private func paintEarrings() {
    let s = sitter
    let metal = s.luck.metal
    let kind = s.luck.choice[31]
    for side in [-1.0, 1.0] {
      let lobe = pose.behind(side * (s.cheek + 2.4), 20.5)
      let down = pose.direction(0, 1)
      if kind < 0.3 {
        canvas.circle(lobe + down * 1.5, radius: 3 * pose.scale)
        canvas.fill(.color(metal * 0.75))
        canvas.circle(lobe + down * 0.8 - pose.right * 0.7, radius: 1.4 * pose.scale)
        canvas.fill(.color(Color(1, 1, 1), alpha: 0.9))
      } else if kind < 0.62 {
        canvas.ellipse(lobe + down * 8, radii: Point(6.2, 8) * pose.scale, angle: s.luck.roll)
        canvas.stroke(.color(metal * 0.6), width: 2.2 * pose.scale)
        canvas.ellipse(lobe + down * 7.8, radii: Point(6.2, 8) * pose.scale, angle: s.luck.roll)
        canvas.stroke(.color((metal * 1.12).shown), width: 0.9 * pose.scale)
      } else {
        canvas.move(to: lobe)
        canvas.line(to: lobe + down * 9)
        canvas.stroke(.color(metal), width: 1.3 * pose.scale)
        canvas.ellipse(lobe + down * 12, radii: Point(3, 5) * pose.scale, angle: s.luck.roll)
        canvas.fillKeepingShape(.color(s.luck.accent * 0.9))
        canvas.stroke(.color(metal), width: 1 * pose.scale)
        canvas.circle(lobe + down * 10.5 - pose.right * 0.9, radius: 0.9 * pose.scale)
        canvas.fill(.color(Color(1, 1, 1), alpha: 0.9))
      }
    }
  }

  private func paintHat() {
    let s = sitter
    let color = s.luck.cloth2 * light(at: 0)
    let top = s.crown - s.volume - 5
    let w = s.cheek + (s.style == .bald || s.style == .tied ? 5 : s.volume * 0.5 + 4)
    let kind = s.luck.choice[11]
    let brim = -38.0
    let dome = [
      Point(-w, brim + 2), Point(-w * 0.99, brim - 14), Point(-w * 0.74, top + 11),
      Point(0, top), Point(w * 0.74, top + 11), Point(w * 0.99, brim - 14), Point(w, brim + 2),
    ].map { pose.edge($0.x, $0.y) }
    canvas.curve(through: dome)
    let dip = kind < 0.35 ? 4.0 : -7.0
    canvas.curve(pose.edge(w * 0.5, brim + dip), pose.edge(-w * 0.5, brim + dip), dome[0])
    canvas.close()
    let side = s.luck.light.x
    canvas.fillKeepingShape(
      .linear(
        from: pose.edge(-side * w, -40), to: pose.edge(side * w, -60),
        [.init(0, SIMD4(color * 0.5, 1)), .init(1, SIMD4((color * 1.18).shown, 1))]))
    canvas.stroke(.color(color * 0.4, alpha: 0.5), width: pose.scale)
    if kind < 0.35 {
      paintBeanie(color, w, brim, top)
    } else if kind < 0.68 {
      paintCapBrim(color, w, brim, top)
    } else {
      paintWideBrim(color, w, brim)
    }
  }

  private func paintBeanie(_ color: Color, _ w: Double, _ brim: Double, _ top: Double) {
    let band = [
      Point(-w - 1.5, brim + 4), Point(-w * 0.5, brim + 7.5), Point(0, brim + 8.5),
      Point(w * 0.5, brim + 7.5), Point(w + 1.5, brim + 4), Point(w + 1, brim - 10),
      Point(w * 0.5, brim - 6.5), Point(0, brim - 5.5), Point(-w * 0.5, brim - 6.5),
      Point(-w - 1, brim - 10),
    ].map { pose.edge($0.x, $0.y) }
    shape(band, .color((color * 0.86).shown))
    for k in -8...8 {
      let x = Double(k) / 8.5 * w
      canvas.move(to: pose.edge(x, brim - 6.5 - 3 * (x / w) * (x / w)))
      canvas.line(to: pose.edge(x, brim + 8 - 4 * (x / w) * (x / w)))
      canvas.move(to: pose.edge(x, brim - 8))
      canvas.line(to: pose.edge(x * 0.7, top + 14 + 8 * (x / w) * (x / w)))
    }
    canvas.stroke(.color(color * 0.45, alpha: 0.35), width: 1.1 * pose.scale)
  }

  private func paintCapBrim(_ color: Color, _ w: Double, _ brim: Double, _ top: Double) {
    for x in [-0.45, 0.0, 0.45] {
      line(
        [
          pose.edge(x * w, brim - 5), pose.edge(x * w * 0.9, (brim + top) / 2),
          pose.edge(0, top + 1),
        ],
        color * 0.4, alpha: 0.4, width: 0.9)
    }
    let peak = [
      Point(-w * 0.86, brim - 3), Point(-w * 0.5, brim - 9), Point(0, brim - 11.5),
      Point(w * 0.5, brim - 9), Point(w * 0.86, brim - 3), Point(w * 0.62, brim + 6),
      Point(0, brim + 9.5), Point(-w * 0.62, brim + 6),
    ].map { pose.edge($0.x, $0.y) + pose.direction(pose.sinYaw * 30, 0) * 0.7 }
    canvas.curve(through: peak, closed: true)
    canvas.fillKeepingShape(
      .linear(
        from: pose.edge(0, brim - 11), to: pose.edge(0, brim + 9),
        [.init(0, SIMD4((color * 0.95).shown, 1)), .init(1, SIMD4(color * 0.48, 1))]))
    canvas.stroke(.color(color * 0.35, alpha: 0.6), width: pose.scale)
  }

  private func paintWideBrim(_ color: Color, _ w: Double, _ brim: Double) {
    let ribbon = [
      Point(-w * 1.0, brim - 2), Point(0, brim + 1), Point(w * 1.0, brim - 2),
      Point(w * 0.99, brim - 11), Point(0, brim - 8), Point(-w * 0.99, brim - 11),
    ].map { pose.edge($0.x, $0.y) }
    shape(ribbon, .color(sitter.luck.accent * 0.6))
    let rim = [
      Point(-w - 23, brim + 3), Point(-w * 0.8, brim - 3), Point(0, brim - 1),
      Point(w * 0.8, brim - 3),
      Point(w + 23, brim + 3), Point(w * 0.8, brim + 8), Point(0, brim + 10.5),
      Point(-w * 0.8, brim + 8),
    ].map { pose.edge($0.x, $0.y) }
    canvas.curve(through: rim, closed: true)
    canvas.fillKeepingShape(
      .linear(
        from: pose.edge(0, brim - 4), to: pose.edge(0, brim + 10),
        [.init(0, SIMD4((color * 1.1).shown, 1)), .init(1, SIMD4(color * 0.55, 1))]))
    canvas.stroke(.color(color * 0.4, alpha: 0.6), width: pose.scale)
  }
}
