import Images

extension PortraitPainter {
  /// A point of the body, which follows the head's tilt a little.
  func body(_ x: Double, _ y: Double) -> Point {
    let base = pose.behind(0, 60)
    let lean = sitter.luck.roll * 0.3
    let (c, s) = (cosine(lean), sine(lean))
    let p = Point(x, y - 60) * pose.scale
    return base + Point(p.x * c - p.y * s, p.x * s + p.y * c)
  }

  enum Garment { case crew, vee, shirt, suit, straps }

  var garment: Garment {
    let s = sitter
    let pick = s.luck.choice[10]
    if s.has(.wearingNecktie) { return pick < 0.35 ? .shirt : .suit }
    return pick < 0.26
      ? .crew : pick < 0.48 ? .vee : pick < 0.64 ? .shirt : pick < 0.82 ? .suit : .straps
  }

  func paintBody() {
    let s = sitter
    let n = s.neck
    let broad = (s.has(.male) ? 1.07 : 0.97) + 0.06 * s.luck.shape[5]
    let right = [
      Point(n + 2, 86), Point(n + 11 * broad, 92), Point(n + 34 * broad, 102 - 3 * broad),
      Point(n + 58 * broad, 114 - 3 * broad), Point(n + 70 * broad, 150),
      Point(n + 74 * broad, 260),
    ]
    // Clothes cover the rest, unless they leave the shoulders bare.
    let bare = garment == .straps ? right : [Point(n, 85), Point(n + 6, 95), Point(n, 128)]
    let chest = bare + bare.reversed().map { Point(-$0.x, $0.y) }
    shape(chest.map { body($0.x, $0.y) }, skinPaint)
    paintNeck()
    paintGarment(right)
    if s.has(.wearingNecktie) { paintNecktie() }
    if s.has(.wearingNecklace) { paintNecklace() }
  }

  private func paintNeck() {
    let s = sitter
    let n = s.neck
    let top = s.chin - 34
    let points = [
      pose.behind(-n * 0.97, top), pose.behind(-n * 0.95, 60), body(-n, 78), body(-n - 8, 92),
      body(0, 100), body(n + 8, 92), body(n, 78), pose.behind(n * 0.95, 60),
      pose.behind(n * 0.97, top),
    ]
    canvas.curve(through: points, closed: true)
    canvas.fillKeepingShape(skinPaint)
    let deep = s.skin * Color(0.32, 0.18, 0.14)
    canvas.fill(fade(deep, from: pose.edge(0, s.chin - 4).y, to: body(0, s.chin + 32).y))
    for side in [-1.0, 1.0] {
      line(
        [pose.behind(side * n * 0.8, 62), body(side * n * 0.5, 82), body(side * 4, 97)], deep,
        alpha: 0.2, width: 2)
    }
    line([body(-3, 99), body(-16, 96.5), body(-n - 10, 97)], deep, alpha: 0.2, width: 1.6)
    line([body(3, 99), body(16, 96.5), body(n + 10, 97)], deep, alpha: 0.2, width: 1.6)
    if s.has(.male) {
      let apple = body(0, 87)
      canvas.circle(apple, radius: 6 * pose.scale)
      let glow = SIMD4((s.skin * 1.15).shown, 0.3)
      canvas.fill(
        .radial(
          center: apple, radius: 6 * pose.scale, [.init(0, glow), .init(1, SIMD4(s.skin, 0))]))
    }
    if s.has(.doubleChin) {
      let fold = [
        pose.edge(-s.jaw * 0.86, s.chin - 22), pose.edge(-s.jaw * 0.66, s.chin + 2),
        pose.edge(0, s.chin + 11), pose.edge(s.jaw * 0.66, s.chin + 2),
        pose.edge(s.jaw * 0.86, s.chin - 22),
      ]
      canvas.curve(through: fold)
      canvas.close()
      canvas.fillKeepingShape(skinPaint)
      canvas.fill(
        .linear(
          from: pose.edge(0, s.chin - 1), to: pose.edge(0, s.chin + 11),
          [.init(0, SIMD4(deep, 0.5)), .init(0.35, SIMD4(deep, 0.06)), .init(1, SIMD4(deep, 0.3))]))
      line(Array(fold[1...3]), deep, alpha: 0.5, width: 1.3)
    }
  }

  private func paintGarment(_ right: [Point]) {
    let s = sitter
    let n = s.neck
    let luck = s.luck
    let lit = light(at: 0)
    let cloth = (luck.cloth * lit).shown
    func piece(_ neckline: [Point], smooth: Bool, from start: Int, _ color: Color) {
      let outer = right[start...] + right[start...].reversed().map { Point(-$0.x, $0.y) }
      canvas.curve(through: outer.map { body($0.x, $0.y) })
      let edge = neckline.map { body($0.x, $0.y) }
      if smooth {
        canvas.curve(through: edge, joined: true)
      } else {
        for p in edge { canvas.line(to: p) }
      }
      canvas.close()
      canvas.fill(ramp(color))
      if smooth {
        canvas.curve(through: edge)
        canvas.stroke(.color(color * 0.5, alpha: 0.55), width: 1.5 * pose.scale)
      }
    }
    switch garment {
    case .crew:
      piece(
        [
          Point(-n - 6, 88), Point(-n * 0.6, 98), Point(0, 103), Point(n * 0.6, 98),
          Point(n + 6, 88),
        ],
        smooth: true, from: 1, cloth)
    case .vee:
      piece(
        [Point(-n - 8, 89), Point(-2, 122), Point(2, 122), Point(n + 8, 89)], smooth: false,
        from: 1,
        cloth)
      canvas.move(to: body(-n - 8, 89))
      canvas.line(to: body(0, 123))
      canvas.line(to: body(n + 8, 89))
      canvas.stroke(.color(cloth * 0.55, alpha: 0.8), width: 2.2 * pose.scale)
    case .straps:
      piece(
        [
          Point(-n - 26, 97), Point(-n - 14, 112), Point(0, 118), Point(n + 14, 112),
          Point(n + 26, 97),
        ], smooth: true, from: 2, cloth)
    case .shirt:
      paintShirt(cloth, piece)
    case .suit:
      paintShirt(mix(luck.cloth2, Color(0.95, 0.95, 0.95), 0.6) * lit, piece)
      let jacket = cloth * 0.6
      for side in [-1.0, 1.0] {
        canvas.curve(
          through: [
            Point(side * (n + 9), 88), Point(side * (n + 36), 98), Point(side * (n + 62), 112),
            Point(side * (n + 74), 150), Point(side * (n + 80), 270),
          ].map { body($0.x, $0.y) })
        canvas.line(to: body(side * 2, 270))
        canvas.line(to: body(side * 3, 140))
        canvas.close()
        canvas.fill(.color(jacket * light(at: side * 40)))
        canvas.move(to: body(side * (n + 8), 86))
        canvas.line(to: body(side * (n + 20), 104))
        canvas.line(to: body(side * (n + 7), 108))
        canvas.line(to: body(side * (n + 12), 112))
        canvas.line(to: body(side * 3, 146))
        canvas.close()
        canvas.fillKeepingShape(.color((jacket * 1.22 * light(at: side * 40)).shown))
        canvas.stroke(.color(jacket * 0.5, alpha: 0.8), width: 0.9 * pose.scale)
      }
    }
  }

  /// A colour that is darker on the side away from the light.
  ///
  /// A picture of a few pixels, enlarged: much faster than a gradient over so large a shape.
  private func ramp(_ color: Color) -> Paint {
    let toLight = sitter.luck.light.x
    ramp.withPixels { pixels in
      for i in 0..<pixels.count {
        let x = (Double(i) + 0.5) / Double(pixels.count) * 2 - 1
        let shade = 0.85 + 0.23 * max(-1, min(1, 1.25 * toLight * x))
        pixels[i] = pixel(SIMD4<Float>(SIMD4((color * shade).shown * 255, 0)))
      }
    }
    return .picture(
      ramp, scale: Point(Double(canvas.width) / Double(ramp.width), Double(canvas.height)))
  }

  /// A shadow that is half opaque at height `from` and gone at height `to`, in pixels.
  private func fade(_ color: Color, from: Double, to: Double) -> Paint {
    let step = Double(canvas.height) / Double(column.height)
    column.withPixels { pixels in
      for i in 0..<pixels.count {
        let t = min(max(((Double(i) + 0.5) * step - from) / (to - from), 0), 1)
        let alpha = 0.5 * (1 - t) * (1 - 0.6 * t)
        let value = pixel(SIMD4<Float>(SIMD4(color * alpha * 255, 0))) & 0xff_ffff
        pixels[i] = UInt32(alpha * 255) << 24 | value
      }
    }
    return .picture(column, scale: Point(Double(canvas.width), step))
  }

  private func paintShirt(
    _ color: Color, _ piece: ([Point], Bool, Int, Color) -> Void
  ) {
    let n = sitter.neck
    let closed = sitter.has(.wearingNecktie)
    let low = closed ? 101.0 : 116.0
    piece([Point(-n - 5, 87), Point(-1, low), Point(1, low), Point(n + 5, 87)], false, 1, color)
    for side in [-1.0, 1.0] {
      canvas.move(to: body(side * (n + 0.5), 80))
      canvas.line(to: body(side * (n + 9), 92))
      canvas.line(to: body(side * 17, 113))
      canvas.line(to: body(side * (closed ? 1.5 : 7), closed ? 101 : 106))
      canvas.curve(body(side * n * 0.6, 97), body(side * n * 0.95, 90), body(side * (n + 0.5), 80))
      canvas.close()
      canvas.fillKeepingShape(.color((color * 1.1).shown))
      canvas.stroke(.color(color * 0.55, alpha: 0.7), width: 0.9 * pose.scale)
    }
  }

  private func paintNecktie() {
    let accent = sitter.luck.accent * light(at: 0)
    let blade = [Point(-3.2, 106), Point(3.2, 106), Point(9, 150), Point(-9, 150)]
    let knot = [Point(-6, 98.5), Point(6, 98.5), Point(3.6, 108), Point(-3.6, 108)]
    for (points, tone) in [(blade, 0.9), (knot, 1.0)] {
      canvas.move(to: body(points[0].x, points[0].y))
      for p in points.dropFirst() { canvas.line(to: body(p.x, p.y)) }
      canvas.close()
      canvas.fillKeepingShape(
        .linear(
          from: body(-7, 100), to: body(7, 104),
          [
            .init(0, SIMD4(accent * 0.7 * tone, 1)),
            .init(0.5, SIMD4((accent * 1.15 * tone).shown, 1)),
            .init(1, SIMD4(accent * 0.6 * tone, 1)),
          ]))
      canvas.stroke(.color(accent * 0.3, alpha: 0.8), width: 0.8 * pose.scale)
    }
    guard sitter.luck.choice[25] < 0.5 else { return }
    for k in 0..<3 {
      let y = 109.0 + Double(k) * 5
      canvas.move(to: body(-5.5, y + 3))
      canvas.line(to: body(5.5, y - 1.5))
    }
    canvas.stroke(.color(sitter.luck.cloth2, alpha: 0.8), width: 1.3 * pose.scale)
  }

  private func paintNecklace() {
    let s = sitter
    let n = s.neck
    let low = 100.0 + 10 * s.luck.choice[26]
    let chain = (0...14).map { k -> Point in
      let t = -1 + Double(k) / 7
      return body(t * n * 1.02, 83 + (low - 83) * (1 - t * t))
    }
    let metal = s.luck.metal
    line(
      chain.map { $0 + Point(0, 1.2 * pose.scale) }, Color(0.15, 0.07, 0.05), alpha: 0.3, width: 2)
    if s.luck.choice[27] < 0.4 {
      for p in chain { canvas.circle(p, radius: 2.1 * pose.scale) }
      canvas.fill(.color(metal * 0.8))
      for p in chain { canvas.circle(p - Point(0.6, 0.7) * pose.scale, radius: 0.9 * pose.scale) }
      canvas.fill(.color(Color(1, 1, 1), alpha: 0.8))
    } else {
      line(chain, metal * 0.62, width: 1.9)
      line(chain.map { $0 - Point(0, 0.4) }, (metal * 1.1).shown, width: 0.9)
      let drop = chain[7] + Point(0, 3.4 * pose.scale)
      canvas.ellipse(drop, radii: Point(2.6, 3.4) * pose.scale)
      canvas.fillKeepingShape(.color(s.luck.accent))
      canvas.stroke(.color(metal * 0.9), width: 1 * pose.scale)
      canvas.circle(drop - Point(0.8, 1.2) * pose.scale, radius: 0.7 * pose.scale)
      canvas.fill(.color(Color(1, 1, 1), alpha: 0.85))
    }
  }
}
