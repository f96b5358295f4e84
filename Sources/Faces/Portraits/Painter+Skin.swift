import Images

extension PortraitPainter {
  /// What fills a shape with skin.
  var skinPaint: Paint { .picture(skin, scale: Point(1, 1)) }

  /// Puts every soft shadow, blush and highlight of the face into the field of skin.
  func shadeSkin() {
    field.begin(sitter, pose)
    let s = sitter
    let male = s.has(.male)
    let toLight = s.luck.light.x
    func dark(_ amount: Double) -> Color {
      Color(1 - amount * 0.78, 1 - amount, 1 - amount * 1.05)
    }
    func bright(_ amount: Double) -> Color {
      Color(1 + amount, 1 + amount * 0.96, 1 + amount * 0.9)
    }
    // Forehead and temples, chin, the hollow under the lower lip.
    field.spot(pose.face(toLight * 8, -38), Point(26, 17), bright(0.09))
    for side in [-1.0, 1.0] {
      field.spot(pose.face(side * 36, -24), Point(12, 20), dark(0.16))
      field.spot(pose.face(side * 33, 38), Point(13, 24), angle: side * 0.5, dark(0.13))
    }
    let low = 42 + s.lowerLip + s.gap * 0.7
    field.spot(pose.face(0, low + 5), Point(11, 4.5), dark(0.2))
    field.spot(pose.face(toLight * 2, s.chin - 10), Point(10, 7), bright(0.08))
    shadeEyes(dark, bright)
    shadeNose(dark, bright)
    shadeCheeks(dark, bright)
    if s.style != .bald {
      // Hair shades the skin under its edge.
      field.spot(pose.face(0, hairline + 2), Point(40, 13), dark(0.22))
    } else {
      field.spot(pose.edge(toLight * 14, -55), Point(20, 12), bright(0.26))
    }
    if s.has(.wearingHat) { field.spot(pose.face(0, -36), Point(46, 17), dark(0.42)) }
    if s.has(.doubleChin) { field.spot(pose.face(0, s.chin - 1), Point(24, 6), dark(0.1)) }
    if s.has(.chubby) {
      for side in [-1.0, 1.0] {
        field.spot(pose.face(side * 27, 30), Point(15, 14), bright(0.09))
      }
    }
    if male { field.spot(pose.face(0, s.browY + 1), Point(30, 6), dark(0.1)) }
    field.finish()
    // Enlarged once, where there may be skin: enlarging it for each shape would take longer.
    let (columns, rows) = bounds(Point(-200, s.crown - 8), Point(200, 200))
    skin.replace(columns: columns, rows: rows, field.paint)
  }

  private func shadeEyes(_ dark: (Double) -> Color, _ bright: (Double) -> Color) {
    let s = sitter
    for side in [-1.0, 1.0] {
      let x = side * s.eyeX
      // The socket: deep by the nose, lit on the brow's bone.
      field.spot(pose.face(x - side * 7, -4.5), Point(9, 7.5), dark(s.has(.male) ? 0.27 : 0.2))
      field.spot(pose.face(x, -3), Point(14, 9), dark(0.1))
      field.spot(pose.face(x + side * 5, -10), Point(9, 3.2), bright(0.09))
      if s.has(.heavyMakeup) {
        let shadows = [
          Color(0.52, 0.36, 0.42), Color(0.55, 0.42, 0.32), Color(0.42, 0.42, 0.55),
        ]
        let shadow = shadows[min(Int(s.luck.choice[9] * 3), 2)]
        field.spot(pose.face(x + side * 1.5, -5.5), Point(13, 7.5), shadow)
        field.spot(pose.face(x + side * 7, -3.5), Point(8, 5.5), mix(shadow, Color(1, 1, 1), 0.3))
      }
      if s.has(.bagsUnderEyes) {
        field.spot(pose.face(x, 8.6), Point(11.5, 4.2), Color(0.66, 0.58, 0.64))
        field.spot(pose.face(x - side * 0.5, 5.6), Point(9, 2.6), bright(0.14))
        field.spot(pose.face(x, 12.4), Point(11, 3), bright(0.07))
      } else {
        field.spot(pose.face(x - side * 2, 8), Point(10, 4.5), dark(0.06 + 0.08 * s.age))
      }
      if s.has(.eyeglasses) {
        field.spot(pose.face(x, 13), Point(15, 5), dark(0.14))
      }
    }
  }

  private func shadeNose(_ dark: (Double) -> Color, _ bright: (Double) -> Color) {
    let s = sitter
    let w = s.noseWidth
    let tip = s.noseTip
    let toLight = s.luck.light.x
    let big = s.has(.bigNose)
    for side in [-1.0, 1.0] {
      // The side away from the light is darker.
      let away = 0.5 - 0.5 * side * toLight
      field.spot(pose.face(side * 5.6, 3), Point(4.2, 17), dark(0.07 + 0.24 * away))
      field.spot(pose.face(side * w * 0.86, tip - 4), Point(4.4, 8), dark(0.08 + 0.18 * away))
      field.spot(pose.face(side * (w + 3.5), tip + 2), Point(4.5, 6), dark(0.14))
      field.spot(
        pose.face(side * w * 0.75, tip + 1), Point(3.4, 3.2), bright(0.06 + 0.05 * toLight * side))
    }
    field.spot(pose.face(toLight * 1.3, 4, out: 8), Point(big ? 4.2 : 3.2, 17), bright(0.16))
    let ball = s.has(.pointyNose) ? Point(2.6, 5) : big ? Point(7, 6) : Point(4.6, 4.6)
    field.spot(
      pose.face(toLight * 1.6, tip - 0.5, out: 13), ball, bright(s.has(.pointyNose) ? 0.34 : 0.2))
    field.spot(pose.face(-toLight * 3, tip + 8.5), Point(w + 3, 4.6), dark(0.32))
    // The groove between nose and lip.
    field.spot(pose.face(0, tip + 12.5), Point(2, 5), dark(0.12))
    for side in [-1.0, 1.0] {
      field.spot(pose.face(side * 3.2, tip + 12.5), Point(1.8, 5), bright(0.06))
    }
  }

  private func shadeCheeks(_ dark: (Double) -> Color, _ bright: (Double) -> Color) {
    let s = sitter
    let smile = s.has(.smiling)
    for side in [-1.0, 1.0] {
      let lit = 0.5 + 0.5 * side * s.luck.light.x
      field.spot(
        pose.face(side * 25, 14), Point(14, 9), angle: -side * 0.35, bright(0.03 + 0.09 * lit))
      field.spot(pose.face(side * 24, 19), Point(15, 11), Color(1.01, 0.94, 0.94))
      if smile {
        field.spot(pose.face(side * 22, 16), Point(10, 7.5), bright(0.11))
        field.spot(pose.face(side * 21, 24), Point(5, 11), angle: -side * 0.55, dark(0.2))
      }
      if s.has(.highCheekbones) {
        field.spot(pose.face(side * 28, 9.5), Point(12, 4.6), angle: -side * 0.4, bright(0.26))
        field.spot(pose.face(side * 29, 25), Point(7.5, 18), angle: side * 0.75, dark(0.2))
      }
      if s.has(.heavyMakeup) {
        field.spot(
          pose.face(side * 29, 17), Point(17, 9), angle: -side * 0.5, Color(1.02, 0.87, 0.88))
        field.spot(pose.face(side * 34, 28), Point(7, 14), angle: side * 0.6, dark(0.12))
      }
      if s.has(.rosyCheeks) {
        field.spot(pose.face(side * 24, 17), Point(19, 14), Color(1.05, 0.77, 0.79))
      }
      // Folds from the nose to the mouth's corners.
      let fold = (smile ? 0.2 : 0.07) + 0.24 * s.age
      field.spot(pose.face(side * 15.5, 31), Point(3, 11), angle: -side * 0.45, dark(fold))
      field.spot(pose.face(side * 19, 30), Point(4, 10), angle: -side * 0.45, bright(fold * 0.4))
      if s.age > 0 {
        field.spot(pose.face(side * 17, 53), Point(3.5, 8), angle: side * 0.2, dark(0.22 * s.age))
        field.spot(pose.face(side * 26, 47), Point(8, 9), bright(0.08 * s.age))
        field.spot(pose.face(side * 30, 24), Point(9, 14), dark(0.14 * s.age))
      }
    }
    for (place, strength) in s.luck.moles.prefix(s.age > 0 ? 3 : 1) {
      let size = 1.6 + 1.4 * s.age
      field.spot(pose.face(place.x, place.y), Point(size, size), dark(0.4 * strength))
    }
  }

  /// How far down the hair reaches in the middle of the forehead.
  var hairline: Double {
    let s = sitter
    if s.has(.bangs) { return -19 }
    return s.has(.recedingHairline) ? -59 : -44
  }

  /// The outline of the head, from the top clockwise, `grown` units outside the skin.
  func headOutline(grown: Double = 0) -> [Point] {
    let s = sitter
    let half: [Point] = [
      Point(0, s.crown - grown), Point(s.cheek * 0.58, s.crown + 5.5 - grown * 0.9),
      Point(s.cheek * 0.9 + grown * 0.8, s.crown + 23 - grown * 0.5),
      Point(s.cheek * 1.0 + grown, -22), Point(s.cheek + grown, 2),
      Point(s.cheek * 0.965 + grown, 22), Point(s.jaw + grown * 0.9, s.chin - 24),
      Point(s.chinWidth + 7 + grown * 0.6, s.chin - 8 + grown * 0.5),
      Point(s.chinWidth * 0.5, s.chin - 0.8 + grown), Point(0, s.chin + grown),
    ]
    let other = half[1..<half.count - 1].reversed().map { Point(-$0.x, $0.y) }
    return (half + other).map { pose.edge($0.x, $0.y) }
  }

  func paintHead() {
    shape(headOutline(), skinPaint)
  }

  /// Whether hanging hair is tucked behind the ear on one side (-1 left, 1 right).
  func isTucked(_ side: Double) -> Bool { sitter.luck.choice[side > 0 ? 22 : 23] < 0.3 }

  func paintEars() {
    let s = sitter
    let old = 1.5 * s.age
    for side in [-1.0, 1.0] {
      // Hair that hangs free covers the ear.
      if s.style == .long && !isTucked(side) { continue }
      let w = side * s.cheek
      func at(_ x: Double, _ y: Double) -> Point { pose.behind(w + side * x, y) }
      let rim = [
        at(-4, -8), at(2.5, -10.5), at(6.4, -5), at(5.4, 5), at(3.6, 14), at(0.5, 20 + old),
        at(-4, 18),
      ]
      shape(rim, skinPaint)
      shape(rim, .color(Color(0.35, 0.08, 0.05), alpha: 0.14))
      line(
        [at(1, -6.5), at(4.2, -3.5), at(3.4, 5), at(1.6, 11)], s.skin * 0.55, alpha: 0.5, width: 1.1
      )
      line([at(0.2, -1), at(1.8, 2.5), at(-0.6, 7)], s.skin * 0.5, alpha: 0.45, width: 1.2)
    }
  }

  /// Wrinkles, and what else is too fine for the field.
  func paintLines() {
    let s = sitter
    let dark = s.skin * Color(0.62, 0.5, 0.46)
    if s.age > 0 {
      for (k, y) in [-24.5, -30, -36].enumerated() {
        let w = 17.0 - Double(k) * 1.6 + s.luck.shape[k]
        line(
          [
            pose.face(-w, y + 1.2), pose.face(-w * 0.4, y - 0.6), pose.face(w * 0.3, y + 0.2),
            pose.face(w, y + 1.4),
          ], dark, alpha: 0.34 * s.age, width: 0.95)
      }
      for side in [-1.0, 1.0] {
        let x = side * (s.eyeX + s.eyeWidth)
        for (dy, ey) in [(-1.2, -3.5), (0.4, 1.0), (1.8, 5.2)] {
          canvas.move(to: pose.face(x + side * 1.8, dy))
          canvas.line(to: pose.face(x + side * 7.2, ey))
        }
        canvas.stroke(.color(dark, alpha: 0.42 * s.age), width: 0.8 * pose.scale)
        line(
          [pose.face(side * 10.5, 25), pose.face(side * 15.5, 31), pose.face(side * 18.5, 39)],
          dark, alpha: 0.42 * s.age, width: 1.1)
        line(
          [pose.face(side * 2.8, -9), pose.face(side * 3.2, -14)], dark, alpha: 0.4 * s.age,
          width: 0.9)
      }
    }
    for side in [-1.0, 1.0] {
      let x = side * s.eyeX
      if s.has(.bagsUnderEyes) {
        line(
          [pose.face(x - side * 8, 4.8), pose.face(x - side * 2, 9), pose.face(x + side * 6, 7.4)],
          dark, alpha: 0.5, width: 1)
      }
      if s.has(.smiling) {
        line(
          [
            pose.face(side * (s.noseWidth + 2.5), 24), pose.face(side * 17, 30),
            pose.face(side * (s.mouthWidth + 4.5), 38.5),
          ], dark, alpha: 0.3, width: 1)
        line(
          [pose.face(x - side * 6, 6.2), pose.face(x, 7.6), pose.face(x + side * 6, 6)],
          dark, alpha: 0.22, width: 0.9)
      }
    }
  }
}
