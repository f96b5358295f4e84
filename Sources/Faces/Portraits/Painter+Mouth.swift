import Images

extension PortraitPainter {
  func paintNose() {
    let s = sitter
    let tip = s.noseTip
    let w = s.noseWidth
    let dark = s.skin * Color(0.34, 0.22, 0.2)
    let pointy = s.has(.pointyNose)
    let open = s.has(.bigNose) ? 1.35 : pointy ? 0.8 : 1.0
    for side in [-1.0, 1.0] {
      canvas.ellipse(
        pose.face(side * w * 0.52, tip + 4.6, out: 5), radii: Point(2.5, 1.25) * open * pose.scale,
        angle: side * -0.35 + s.luck.roll)
      canvas.fill(.color(dark, alpha: 0.75))
      line(
        [
          pose.face(side * (w * 0.86), tip - 2.5, out: 2), pose.face(side * (w + 0.6), tip + 1.5),
          pose.face(side * (w + 0.2), tip + 4.6), pose.face(side * w * 0.72, tip + 5.6, out: 3),
        ], dark, alpha: s.has(.bigNose) ? 0.5 : 0.36, width: 1.1)
    }
    let sharp = pointy ? 2.2 : 0.6
    line(
      [
        pose.face(-w * 0.4, tip + 5.2, out: 8), pose.face(0, tip + 5.8 + sharp, out: 10),
        pose.face(w * 0.4, tip + 5.2, out: 8),
      ], dark, alpha: pointy ? 0.5 : 0.32, width: 1)
  }

  /// Heights of the mouth's lines at `s`, from one corner (-1) to the other (1).
  private func inner(_ s: Double, share: Double) -> Double {
    let m = sitter
    let bow = 1 - s * s
    let wave = m.has(.smiling) ? 0 : 0.5 * cosine(s * 7)
    return 42 + (m.has(.smiling) ? 0.8 : 0) + m.mouthCorner * s * s * 0.9 + share * m.gap * bow
      + wave * bow
  }

  func paintMouth() {
    let m = sitter
    let w = m.mouthWidth
    let along = [-1, -0.75, -0.45, -0.18, 0, 0.18, 0.45, 0.75, 1.0]
    func point(_ s: Double, _ y: Double) -> Point { pose.face(s * w, y, out: 4 * (1 - s * s)) }
    func top(_ s: Double) -> Double {
      let dip = max(0, 1 - (s / 0.2) * (s / 0.2)) * 0.24
      return inner(s, share: -0.3) - m.upperLip * (1 - s * s) * (1.12 - dip - 0.25 * abs(s))
    }
    func bottom(_ s: Double) -> Double {
      inner(s, share: 0.7) + m.lowerLip * (1 - s * s) * (1 - 0.12 * abs(s))
    }
    let upperEdge = along.map { point($0, inner($0, share: -0.3)) }
    let lowerEdge = along.map { point($0, inner($0, share: 0.7)) }
    if m.gap > 0 {
      canvas.curve(through: upperEdge)
      canvas.curve(through: lowerEdge.reversed(), joined: true)
      canvas.fill(.color(Color(0.22, 0.06, 0.06)))
      let teeth = min(m.gap * (m.has(.smiling) ? 0.72 : 0.45), 4.6)
      let inside = Array(along[1..<along.count - 1])
      canvas.curve(through: inside.map { point($0, inner($0, share: -0.3)) })
      canvas.curve(
        through: inside.reversed().map { s in
          point(s, min(inner(s, share: -0.3) + teeth * (1 - s * s * s * s), inner(s, share: 0.62)))
        }, joined: true)
      let tooth = Color(0.93, 0.91, 0.87) * (0.97 - 0.1 * m.age)
      canvas.fillKeepingShape(
        .linear(
          from: point(-1, 42), to: point(1, 42),
          [
            .init(0, SIMD4(tooth * 0.45, 1)), .init(0.28, SIMD4(tooth, 1)),
            .init(0.72, SIMD4(tooth, 1)), .init(1, SIMD4(tooth * 0.45, 1)),
          ]))
      canvas.stroke(.color(Color(0.3, 0.1, 0.1), alpha: 0.25), width: 0.5 * pose.scale)
      if teeth > 2 {
        for s in [-0.5, -0.33, -0.165, 0, 0.165, 0.33, 0.5] {
          canvas.move(to: point(s, inner(s, share: -0.3) + 0.4))
          canvas.line(to: point(s, inner(s, share: -0.3) + teeth * 0.86))
        }
        canvas.stroke(.color(Color(0.45, 0.36, 0.32), alpha: 0.3), width: 0.45 * pose.scale)
      }
    }
    let glossy = m.has(.wearingLipstick)
    let lip = m.lips * light(at: 0)
    canvas.curve(through: along.map { point($0, top($0)) })
    canvas.curve(through: upperEdge.reversed(), joined: true)
    canvas.fill(.color((lip * 0.83).shown, alpha: glossy ? 1 : 0.82))
    canvas.curve(through: lowerEdge)
    canvas.curve(through: along.reversed().map { point($0, bottom($0)) }, joined: true)
    canvas.fill(
      .linear(
        from: point(0, inner(0, share: 0.7)), to: point(0, bottom(0)),
        [
          .init(0, SIMD4((lip * 0.9).shown, glossy ? 1 : 0.85)),
          .init(0.45, SIMD4((lip * 1.12).shown, glossy ? 1 : 0.8)),
          .init(1, SIMD4((lip * 0.88).shown, glossy ? 1 : 0.7)),
        ]))
    let seam = Color(0.25, 0.07, 0.07)
    if m.gap == 0 { line(upperEdge, mix(seam, m.lips * 0.35, 0.4), alpha: 0.8, width: 1.05) }
    for side in [-1.0, 1.0] {
      canvas.circle(point(side * 1.03, inner(1, share: 0)), radius: 1.1 * pose.scale)
    }
    canvas.fill(.color(m.skin * Color(0.4, 0.25, 0.23), alpha: 0.5))
    let shine = inner(0, share: 0.7) + m.lowerLip * 0.42
    canvas.ellipse(
      point(m.luck.light.x * 0.2, shine), radii: Point(w * 0.33, m.lowerLip * 0.17) * pose.scale,
      angle: m.luck.roll)
    canvas.fill(.color(Color(1, 0.95, 0.93), alpha: glossy ? 0.42 : 0.2))
    if glossy {
      for side in [-1.0, 1.0] {
        canvas.ellipse(
          point(side * 0.22, top(0.22) + m.upperLip * 0.35), radii: Point(2, 0.5) * pose.scale)
      }
      canvas.fill(.color(Color(1, 1, 1), alpha: 0.28))
    }
  }
}
